import type * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { NodeTaint } from "../cluster/cluster-spec.ts";
import type { ServiceSpec } from "../environment/environment-spec.ts";
import { authorizationEnvironment } from "./service-authorization.ts";

type PodSpec = k8s.types.input.core.v1.PodSpec;

/** Time for endpoints to forget a pod before it stops to take calls. */
const DEREGISTER_SECONDS = 5;
/** Over the longest call, to finish writing and to close. */
const DRAIN_MARGIN_SECONDS = 10;

/** Label that every node of a pool carries, with the pool's name. */
export const POOL_LABEL = "bedplate.dev/pool";

/** The service as a pod needs it: its image is always given there. */
export type PodServiceSpec = ServiceSpec & { readonly image: string };

/** What the pod is placed and called by. */
export interface ServicePodArgs {
  readonly spec: PodServiceSpec;
  readonly selector: Readonly<Record<string, string>>;
  readonly serviceAccountName: pulumi.Input<string>;
  /** Names in the cluster that clients call the service by; it refuses every other Host but those of the spec. */
  readonly hostNames: readonly string[];
  /** Taints of the nodes that it is meant for. */
  readonly taints: readonly NodeTaint[];
}

/** Longer than the longest call that the service may be in when it is told to stop. */
export function drainSeconds(longestCallSeconds: number): number {
  return longestCallSeconds + DEREGISTER_SECONDS + DRAIN_MARGIN_SECONDS;
}

/** What one replica takes of a node, by Kubernetes' names; whole numbers, as CPUs and devices are handed out whole. */
export function replicaResources(spec: ServiceSpec): Readonly<Record<string, string>> {
  const { hugepages, devices = {} } = spec.kubernetes ?? {};
  return {
    cpu: String(spec.cpus),
    memory: `${spec.memoryMiB}Mi`,
    ...(hugepages === undefined
      ? {}
      : { [hugepagesResource(hugepages.sizeKiB)]: `${hugepages.mebibytes}Mi` }),
    ...Object.fromEntries(Object.entries(devices).map(([name, count]) => [name, String(count)])),
  };
}

function hugepagesResource(sizeKiB: number): string {
  return sizeKiB === 2048 ? "hugepages-2Mi" : "hugepages-1Gi";
}

/** The service's pod. Pure; requests equal limits in whole CPUs, so the kubelet can give it CPUs of its own. */
export function servicePodSpec(args: ServicePodArgs): PodSpec {
  const { spec, selector } = args;
  const resources = replicaResources(spec);
  const probe = { path: "/healthz", port: "http" };
  const hugepages = hugepagesVolume(spec);
  return {
    serviceAccountName: args.serviceAccountName,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    terminationGracePeriodSeconds: drainSeconds(spec.longestCallSeconds),
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      fsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
      ...(spec.podSysctls === undefined ? {} : { sysctls: spec.podSysctls }),
    },
    topologySpreadConstraints: ["topology.kubernetes.io/zone", "kubernetes.io/hostname"].map(
      (topologyKey) => ({
        maxSkew: 1,
        topologyKey,
        whenUnsatisfiable: "ScheduleAnyway",
        labelSelector: { matchLabels: selector },
        matchLabelKeys: ["pod-template-hash"],
      }),
    ),
    ...placement(args),
    containers: [
      {
        name: "mcp-service",
        image: spec.image,
        imagePullPolicy: "IfNotPresent",
        ports: [{ name: "http", containerPort: spec.port, protocol: "TCP" }],
        env: [
          { name: "PORT", value: String(spec.port) },
          { name: "BIND_ADDRESS", value: "0.0.0.0" },
          { name: "PROTOCOL_ERA", value: spec.protocolEra },
          { name: "LONGEST_CALL_SECONDS", value: String(spec.longestCallSeconds) },
          { name: "ALLOWED_HOSTS", value: [...args.hostNames, ...spec.allowedHosts].join(",") },
          ...authorizationEnvironment(spec.authorization).map(([name, value]) => ({ name, value })),
          { name: "UV_THREADPOOL_SIZE", value: String(Math.max(4, spec.cpus)) },
        ],
        resources: { requests: resources, limits: resources },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          privileged: false,
          capabilities: { drop: ["ALL"] },
        },
        startupProbe: { httpGet: probe, periodSeconds: 1, failureThreshold: 60 },
        // Not ready while it drains; alive all the same, or it would be killed in the middle of its last calls.
        readinessProbe: {
          httpGet: { ...probe, path: "/readyz" },
          periodSeconds: 5,
          timeoutSeconds: 2,
          failureThreshold: 2,
        },
        livenessProbe: { httpGet: probe, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
        lifecycle: { preStop: { sleep: { seconds: DEREGISTER_SECONDS } } },
        volumeMounts: [{ name: "tmp", mountPath: "/tmp" }, ...hugepages.mounts],
      },
    ],
    volumes: [{ name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } }, ...hugepages.volumes],
  };
}

function hugepagesVolume(spec: ServiceSpec) {
  const hugepages = spec.kubernetes?.hugepages;
  if (hugepages === undefined) return { mounts: [], volumes: [] };
  const medium = hugepages.sizeKiB === 2048 ? "HugePages-2Mi" : "HugePages-1Gi";
  return {
    mounts: [{ name: "hugepages", mountPath: "/dev/hugepages" }],
    volumes: [{ name: "hugepages", emptyDir: { medium } }],
  };
}

/** Onto the pools that the environment names, whatever taints keep others away. */
function placement({ spec, taints }: ServicePodArgs): Pick<PodSpec, "affinity" | "tolerations"> {
  const pools = spec.kubernetes?.hostPools;
  if (pools === undefined) return {};
  return {
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: POOL_LABEL, operator: "In", values: [...pools] }] },
          ],
        },
      },
    },
    ...(taints.length === 0
      ? {}
      : {
          tolerations: taints.map(({ key, value, effect }) => ({ key, operator: "Equal", value, effect })),
        }),
  };
}

/** What Multus reads on a pod. */
export function networkAnnotations(spec: ServiceSpec): Readonly<Record<string, string>> {
  const networks = spec.kubernetes?.networks ?? [];
  return networks.length === 0 ? {} : { "k8s.v1.cni.cncf.io/networks": networks.join(",") };
}
