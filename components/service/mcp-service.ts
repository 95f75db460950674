import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { ServiceSpec } from "../environment/environment-spec.ts";
import type { OwnerTags } from "../tags/owner-tags.ts";
import { serviceNetworkPolicySpec } from "./network-policy.ts";
import { servicePodSpec } from "./pod-spec.ts";

export interface McpServiceArgs {
  /** Made by this component and for it alone. */
  readonly namespace: string;
  readonly spec: ServiceSpec & { readonly image: string };
  readonly tags: OwnerTags;
  /** The cluster that runs it. */
  readonly provider: k8s.Provider;
}

/** Labels that select the service's pods; they never change, because a Deployment's selector cannot. */
const SELECTOR = { "app.kubernetes.io/name": "mcp-service" } as const;

/** Clients know the service by this name, so it is fixed and not the engine's to choose. */
const SERVICE_NAME = "mcp-service";

/** Longest time an older client's session stays on one pod. */
const AFFINITY_SECONDS = 3 * 3600;

/**
 * The MCP service on Kubernetes: its own namespace under the restricted pod security standard, whole CPUs with requests
 * equal to limits, a drain longer than the longest call, and no network but what it needs.
 */
export class McpService extends pulumi.ComponentResource {
  /** Address inside the cluster. */
  readonly url: pulumi.Output<string>;

  constructor(name: string, args: McpServiceArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:McpService", name, {}, { ...opts, providers: [args.provider] });
    const labels = { ...SELECTOR, "app.kubernetes.io/managed-by": "bedplate", ...args.tags };
    const namespace = this.#makeNamespace(name, args.namespace, labels);
    // The name in the output, not the text: what stands in a namespace is made after it.
    const metadata = { namespace: namespace.metadata.name, labels };
    const inNamespace: pulumi.CustomResourceOptions = { parent: this, deletedWith: namespace };
    const { spec } = args;

    new k8s.networking.v1.NetworkPolicy(
      name,
      { metadata, spec: serviceNetworkPolicySpec(SELECTOR, spec.port) },
      inNamespace,
    );
    new k8s.networking.v1.NetworkPolicy(
      `${name}-default-deny`,
      { metadata, spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
      inNamespace,
    );
    new k8s.policy.v1.PodDisruptionBudget(
      name,
      {
        metadata,
        spec: {
          maxUnavailable: 1,
          unhealthyPodEvictionPolicy: "AlwaysAllow",
          selector: { matchLabels: SELECTOR },
        },
      },
      inNamespace,
    );
    const deployment = new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          replicas: spec.replicas,
          revisionHistoryLimit: 3,
          selector: { matchLabels: SELECTOR },
          // A pod more before a pod less: the capacity that was asked for is there throughout.
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
          template: { metadata: { labels }, spec: servicePodSpec(spec, SELECTOR) },
        },
      },
      inNamespace,
    );
    const service = new k8s.core.v1.Service(
      name,
      {
        metadata: { ...metadata, name: SERVICE_NAME },
        spec: {
          type: "ClusterIP",
          selector: SELECTOR,
          ports: [{ name: "http", port: 80, targetPort: "http", protocol: "TCP" }],
          ...(spec.protocolEra === "modern"
            ? {}
            : {
                sessionAffinity: "ClientIP",
                sessionAffinityConfig: { clientIP: { timeoutSeconds: AFFINITY_SECONDS } },
              }),
        },
      },
      { ...inNamespace, dependsOn: [deployment] },
    );
    this.url = service.id.apply(() => `http://${SERVICE_NAME}.${args.namespace}.svc/mcp`);
    this.registerOutputs({ url: this.url });
  }

  #makeNamespace(
    name: string,
    namespace: string,
    labels: Readonly<Record<string, string>>,
  ): k8s.core.v1.Namespace {
    const level = "restricted";
    return new k8s.core.v1.Namespace(
      name,
      {
        metadata: {
          name: namespace,
          labels: {
            ...labels,
            "pod-security.kubernetes.io/enforce": level,
            "pod-security.kubernetes.io/audit": level,
            "pod-security.kubernetes.io/warn": level,
          },
        },
      },
      { parent: this },
    );
  }
}
