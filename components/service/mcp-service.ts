import * as k8s from "@pulumi/kubernetes";
import * as pulumi from "@pulumi/pulumi";
import type { NodeTaint } from "../cluster/cluster-spec.ts";
import { makeServiceMonitoring } from "../observability/service-monitoring.ts";
import type { OwnerTags } from "../tags/owner-tags.ts";
import { type OutboundRule, serviceNetworkPolicySpec } from "./network-policy.ts";
import { makePodSecurityPolicy, podSecurityLabels, sysctlsBeyondTheStandard } from "./pod-security.ts";
import { type PodServiceSpec, networkAnnotations, servicePodSpec } from "./pod-spec.ts";
import { IN_FLIGHT_METRIC, autoscalerSpec, quotaSpec } from "./service-capacity.ts";

export interface McpServiceArgs {
  /** Made by this component and for it alone. */
  readonly namespace: string;
  readonly spec: PodServiceSpec;
  /** Taints of the nodes that the service is meant for. */
  readonly taints: readonly NodeTaint[];
  /** Callers outside the cluster, as a load balancer is. */
  readonly callerCidrs: readonly string[];
  /** What the pods may reach beside name lookup and HTTPS. */
  readonly outbound: readonly OutboundRule[];
  /** The cluster's nodes are tuned by the agent, so its alerts are for this cluster's Prometheus. */
  readonly hasTunedNodes: boolean;
  readonly tags: OwnerTags;
  /** The cluster that runs it. */
  readonly provider: k8s.Provider;
}

/** Labels that select the service's pods; they never change, because a Deployment's selector cannot. */
const SELECTOR = { "app.kubernetes.io/name": "mcp-service" } as const;

/** Clients know the service by this name, so it is fixed and not the engine's to choose. */
const SERVICE_NAME = "mcp-service";

/** What everything in the namespace is called and paid by. */
interface Metadata {
  readonly namespace: pulumi.Output<string>;
  readonly labels: Readonly<Record<string, string>>;
}

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
    const { spec } = args;
    const labels = { ...SELECTOR, "app.kubernetes.io/managed-by": "bedplate", ...args.tags };
    const namespace = this.#makeNamespace(name, args, labels);
    // The name in the output, not the text: what stands in a namespace is made after it.
    const metadata = { namespace: namespace.metadata.name, labels };
    const inNamespace: pulumi.CustomResourceOptions = { parent: this, deletedWith: namespace };

    const guards = [
      ...this.#makeSysctlPolicy(name, args, labels),
      ...this.#makeNetworkPolicies(name, args, metadata, inNamespace),
      new k8s.core.v1.ResourceQuota(name, { metadata, spec: quotaSpec(spec) }, inNamespace),
    ];
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
    const deployment = this.#makeDeployment(name, args, metadata, { ...inNamespace, dependsOn: guards });
    const { scaling, monitoring } = spec.kubernetes ?? {};
    if (scaling !== undefined) {
      void pulumi.log.info(
        `replicas follow ${IN_FLIGHT_METRIC}: the cluster has to serve it at custom.metrics.k8s.io (docs/kubernetes.md)`,
        this,
      );
      new k8s.autoscaling.v2.HorizontalPodAutoscaler(
        name,
        { metadata, spec: autoscalerSpec(spec, scaling, deployment.metadata.name) },
        inNamespace,
      );
    }
    const service = this.#makeService(name, args, metadata, { ...inNamespace, dependsOn: [deployment] });
    if (monitoring !== undefined) {
      const { namespace: namespaceName, hasTunedNodes } = args;
      makeServiceMonitoring(
        name,
        { namespaceName, spec, monitoring, selector: SELECTOR, metadata, hasTunedNodes },
        inNamespace,
      );
    }
    this.url = service.id.apply(() => `http://${SERVICE_NAME}.${args.namespace}.svc/mcp`);
    this.registerOutputs({ url: this.url });
  }

  #makeNamespace(
    name: string,
    args: McpServiceArgs,
    labels: Readonly<Record<string, string>>,
  ): k8s.core.v1.Namespace {
    return new k8s.core.v1.Namespace(
      name,
      {
        metadata: {
          name: args.namespace,
          labels: { ...labels, ...podSecurityLabels(args.spec.podSysctls ?? []) },
        },
      },
      { parent: this },
    );
  }

  #makeSysctlPolicy(
    name: string,
    { namespace, spec }: McpServiceArgs,
    labels: Readonly<Record<string, string>>,
  ): readonly pulumi.Resource[] {
    const sysctls = sysctlsBeyondTheStandard(spec.podSysctls ?? []);
    return sysctls.length === 0
      ? []
      : [makePodSecurityPolicy(name, { namespace, sysctls, labels }, { parent: this })];
  }

  #makeNetworkPolicies(
    name: string,
    { spec, callerCidrs, outbound }: McpServiceArgs,
    metadata: Metadata,
    opts: pulumi.CustomResourceOptions,
  ): readonly pulumi.Resource[] {
    const { callerNamespaces, monitoring } = spec.kubernetes ?? {};
    const namespaces =
      callerNamespaces === undefined || monitoring === undefined
        ? callerNamespaces
        : [...new Set([...callerNamespaces, monitoring.namespace])];
    return [
      new k8s.networking.v1.NetworkPolicy(
        name,
        {
          metadata,
          spec: serviceNetworkPolicySpec({
            selector: SELECTOR,
            port: spec.port,
            callerNamespaces: namespaces,
            callerCidrs,
            outbound,
          }),
        },
        opts,
      ),
      new k8s.networking.v1.NetworkPolicy(
        `${name}-default-deny`,
        { metadata, spec: { podSelector: {}, policyTypes: ["Ingress", "Egress"] } },
        opts,
      ),
    ];
  }

  #makeDeployment(
    name: string,
    { namespace, spec, taints }: McpServiceArgs,
    metadata: Metadata,
    opts: pulumi.CustomResourceOptions,
  ): k8s.apps.v1.Deployment {
    // An identity of its own, so that a role can be given to it and to nothing else.
    const account = new k8s.core.v1.ServiceAccount(
      name,
      { metadata: { ...metadata, name: SERVICE_NAME }, automountServiceAccountToken: false },
      { parent: this },
    );
    const annotations = networkAnnotations(spec);
    return new k8s.apps.v1.Deployment(
      name,
      {
        metadata,
        spec: {
          // Where replicas follow the load, their number is the scaler's.
          ...(spec.kubernetes?.scaling === undefined ? { replicas: spec.replicas } : {}),
          revisionHistoryLimit: 3,
          selector: { matchLabels: SELECTOR },
          // A pod more before a pod less: the capacity that was asked for is there throughout.
          strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1, maxUnavailable: 0 } },
          template: {
            metadata: {
              labels: metadata.labels,
              ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
            },
            spec: servicePodSpec({
              spec,
              selector: SELECTOR,
              serviceAccountName: account.metadata.name,
              hostNames: namesInCluster(namespace),
              taints,
            }),
          },
        },
      },
      opts,
    );
  }

  #makeService(
    name: string,
    { spec }: McpServiceArgs,
    metadata: Metadata,
    opts: pulumi.CustomResourceOptions,
  ): k8s.core.v1.Service {
    return new k8s.core.v1.Service(
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
      opts,
    );
  }
}

/** How pods of the cluster spell the service; each is a Host that it has to take. */
function namesInCluster(namespace: string): readonly string[] {
  const inNamespace = `${SERVICE_NAME}.${namespace}`;
  return [SERVICE_NAME, inNamespace, `${inNamespace}.svc`, `${inNamespace}.svc.cluster.local`];
}
