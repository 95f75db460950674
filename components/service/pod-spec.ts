import type * as k8s from "@pulumi/kubernetes";
import type { ServiceSpec } from "../environment/environment-spec.ts";

type PodSpec = k8s.types.input.core.v1.PodSpec;

/** Time for endpoints to forget a pod before it stops to take calls. */
const DEREGISTER_SECONDS = 5;
/** Over the longest call, to finish writing and to close. */
const DRAIN_MARGIN_SECONDS = 10;

/** Longer than the longest call that the service may be in when it is told to stop. */
export function drainSeconds(longestCallSeconds: number): number {
  return longestCallSeconds + DEREGISTER_SECONDS + DRAIN_MARGIN_SECONDS;
}

/** The service's pod. Pure; requests equal limits in whole CPUs, so the kubelet can give it CPUs of its own. */
export function servicePodSpec(
  spec: ServiceSpec & { readonly image: string },
  selector: Readonly<Record<string, string>>,
): PodSpec {
  const resources = { cpu: String(spec.cpus), memory: `${spec.memoryMiB}Mi` };
  const probe = { httpGet: { path: "/healthz", port: "http" } };
  return {
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
          { name: "UV_THREADPOOL_SIZE", value: String(Math.max(4, spec.cpus)) },
        ],
        resources: { requests: resources, limits: resources },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          privileged: false,
          capabilities: { drop: ["ALL"] },
        },
        startupProbe: { ...probe, periodSeconds: 1, failureThreshold: 60 },
        readinessProbe: { ...probe, periodSeconds: 5, timeoutSeconds: 2, failureThreshold: 2 },
        livenessProbe: { ...probe, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
        lifecycle: { preStop: { sleep: { seconds: DEREGISTER_SECONDS } } },
        volumeMounts: [{ name: "tmp", mountPath: "/tmp" }],
      },
    ],
    volumes: [{ name: "tmp", emptyDir: { medium: "Memory", sizeLimit: "64Mi" } }],
  };
}
