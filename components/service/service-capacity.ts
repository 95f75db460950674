import type * as k8s from "@pulumi/kubernetes";
import type { ServiceSpec } from "../environment/environment-spec.ts";
import { replicaResources } from "./pod-spec.ts";

type AutoscalerSpec = k8s.types.input.autoscaling.v2.HorizontalPodAutoscalerSpec;
type QuotaSpec = k8s.types.input.core.v1.ResourceQuotaSpec;
type Scaling = NonNullable<NonNullable<ServiceSpec["kubernetes"]>["scaling"]>;

/** The service's own metric that replicas are added by. */
export const IN_FLIGHT_METRIC = "mcp_requests_in_flight";

/** CPU of its request beyond which replicas are added whatever the calls are: they have become dearer. Our choice. */
const CPU_GUARD_PERCENT = 80;

/** Kubernetes' own default for how long fewer replicas have to be enough. */
const SCALE_DOWN_SECONDS = 300;
/** What the API takes at most. */
const LONGEST_WINDOW_SECONDS = 3600;

/** Pure. Replicas by calls in flight; by CPU where those are few and heavy. */
export function autoscalerSpec(
  spec: ServiceSpec,
  scaling: Scaling,
  deploymentName: k8s.types.input.autoscaling.v2.CrossVersionObjectReference["name"],
): AutoscalerSpec {
  return {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: deploymentName },
    minReplicas: spec.replicas,
    maxReplicas: scaling.maxReplicas,
    metrics: [
      {
        type: "Pods",
        pods: {
          metric: { name: IN_FLIGHT_METRIC },
          target: { type: "AverageValue", averageValue: String(scaling.inFlightPerReplica) },
        },
      },
      {
        type: "Resource",
        resource: { name: "cpu", target: { type: "Utilization", averageUtilization: CPU_GUARD_PERCENT } },
      },
    ],
    behavior: {
      scaleDown: {
        // A replica that is let go drains for as long as its longest call: no shorter dip is worth it.
        stabilizationWindowSeconds: Math.min(
          LONGEST_WINDOW_SECONDS,
          Math.max(SCALE_DOWN_SECONDS, spec.longestCallSeconds),
        ),
      },
    },
  };
}

/**
 * Pure. The most that the namespace may take: all replicas, all of their predecessors, which drain beside them during a
 * rollout and count until they end, and the one more that a rollout starts with.
 */
export function quotaSpec(spec: ServiceSpec): QuotaSpec {
  const replicas = spec.kubernetes?.scaling?.maxReplicas ?? spec.replicas;
  const pods = 2 * replicas + 1;
  const hard: Record<string, string> = { pods: String(pods) };
  for (const [resource, amount] of Object.entries(replicaResources(spec))) {
    const [, number = "", unit = ""] = /^(\d+)(\D*)$/.exec(amount) ?? [];
    const total = `${Number(number) * pods}${unit}`;
    hard[`requests.${resource}`] = total;
    if (resource === "cpu" || resource === "memory") hard[`limits.${resource}`] = total;
  }
  return { hard };
}
