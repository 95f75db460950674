import { readFileSync } from "node:fs";
import path from "node:path";
import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import { parse } from "yaml";
import type { ServiceSpec } from "../environment/environment-spec.ts";
import { type RuleGroup, serviceRules } from "./service-rules.ts";

export interface ServiceMonitoringArgs {
  readonly namespaceName: string;
  readonly spec: ServiceSpec;
  readonly monitoring: NonNullable<NonNullable<ServiceSpec["kubernetes"]>["monitoring"]>;
  /** Labels of the Service that is scraped. */
  readonly selector: Readonly<Record<string, string>>;
  readonly metadata: {
    readonly namespace: pulumi.Output<string>;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly hasTunedNodes: boolean;
}

/** The scaler looks every 15 s: older numbers would make it late. */
const SCRAPE_INTERVAL = "15s";

const HOST_ALERTS = path.resolve(import.meta.dirname, "../../docs/alerts.yml");

/**
 * What the Prometheus operator reads: where the service's metrics are, and what is worth waking somebody for. Nodes that
 * the agent tuned bring its own alerts with them, which node_exporter's textfile collector feeds.
 */
export function makeServiceMonitoring(
  name: string,
  args: ServiceMonitoringArgs,
  opts: pulumi.CustomResourceOptions,
): void {
  const { namespaceName, spec, monitoring, selector } = args;
  const metadata = { ...args.metadata, labels: { ...monitoring.labels, ...args.metadata.labels } };
  new k8s.apiextensions.CustomResource(
    name,
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "ServiceMonitor",
      metadata,
      spec: {
        jobLabel: "app.kubernetes.io/name",
        selector: { matchLabels: selector },
        endpoints: [{ port: "http", path: "/metrics", interval: SCRAPE_INTERVAL }],
      },
    },
    opts,
  );
  new k8s.apiextensions.CustomResource(
    name,
    {
      apiVersion: "monitoring.coreos.com/v1",
      kind: "PrometheusRule",
      metadata,
      spec: { groups: [serviceRules(namespaceName, spec), ...(args.hasTunedNodes ? hostRules() : [])] },
    },
    opts,
  );
}

/** The agent's own alerts, from the file that people use without this component. */
function hostRules(): readonly RuleGroup[] {
  return (parse(readFileSync(HOST_ALERTS, "utf8")) as { readonly groups: readonly RuleGroup[] }).groups;
}
