/** What a query is asked for. */
export interface QueryScope {
  /** Label matchers without braces: `namespace=~"a|b"`. */
  readonly matchers: string;
  readonly stepSeconds: number;
}

interface MetricSpec {
  readonly about: string;
  /** A value above it is no such metric. */
  readonly max: number;
  /** PromQL that gives one series for each pod and container, or for each GPU of them. */
  readonly promql: (scope: QueryScope) => string;
  /** The same of a service that runs as a unit of its host, by what prom-client tells of its own process. */
  readonly promqlOfProcess?: (scope: QueryScope) => string;
  /** Right-sizing says nothing without it. */
  readonly isRequired?: true;
  /** One series for each GPU. */
  readonly isOfDevice?: true;
}

/** A rate needs two scrapes in its range; four of the common interval of 30 s bridge one that failed. */
const LEAST_RATE_SECONDS = 120;

const MOST_CPUS = 4096;
const MOST_BYTES = 2 ** 48;
const BY_CONTAINER = "by (namespace, pod, container)";
/** dcgm-exporter names the pod that holds the GPU by these labels where it runs with `--kubernetes`. */
const BY_DEVICE = "by (namespace, pod, container, UUID, modelName)";

const range = ({ stepSeconds }: QueryScope): string => `${Math.max(stepSeconds, LEAST_RATE_SECONDS)}s`;
const running = ({ matchers }: QueryScope): string => `{${matchers}, container!="", container!="POD"}`;
const ofResource = (metric: string, resource: string) => (scope: QueryScope) =>
  `max ${BY_CONTAINER} (${metric}{${scope.matchers}, resource="${resource}"})`;
const ofDevice =
  (expression: (metric: (name: string) => string) => string) =>
  ({ matchers }: QueryScope): string =>
    `max ${BY_DEVICE} (${expression((name) => `${name}{${matchers}, pod!=""}`)})`;

/**
 * The metrics of use: their names in a CSV file, their units as suffix, and the PromQL that gives them. CPU and memory
 * are cAdvisor's, requests and restarts kube-state-metrics', GPUs dcgm-exporter's.
 *
 * Memory is the working set, which is what the kubelet evicts and the kernel kills by; its peak in a step, because a
 * sample would miss it.
 */
export const USAGE_METRICS = {
  cpu_cores: {
    about: "CPU used, cores",
    max: MOST_CPUS,
    isRequired: true,
    promql: (scope) =>
      `sum ${BY_CONTAINER} (rate(container_cpu_usage_seconds_total${running(scope)}[${range(scope)}]))`,
    promqlOfProcess: (scope) => `rate(process_cpu_seconds_total{${scope.matchers}}[${range(scope)}])`,
  },
  memory_bytes: {
    about: "peak of the working set since the last point, bytes",
    max: MOST_BYTES,
    isRequired: true,
    promql: (scope) =>
      `max ${BY_CONTAINER} (max_over_time(container_memory_working_set_bytes${running(scope)}[${range(scope)}]))`,
    promqlOfProcess: (scope) =>
      `max_over_time(process_resident_memory_bytes{${scope.matchers}}[${range(scope)}])`,
  },
  cpu_throttled_share: {
    about: "scheduler periods in which the CPU limit held it back, 0 to 1",
    max: 1,
    promql: (scope) =>
      `sum ${BY_CONTAINER} (rate(container_cpu_cfs_throttled_periods_total${running(scope)}[${range(scope)}])) / ` +
      `sum ${BY_CONTAINER} (rate(container_cpu_cfs_periods_total${running(scope)}[${range(scope)}]) > 0)`,
  },
  oom_kills: {
    about: "out-of-memory kills since the last point",
    max: 1e6,
    promql: (scope) =>
      `sum ${BY_CONTAINER} (increase(kube_pod_container_status_restarts_total{${scope.matchers}}[${range(scope)}]) > 0) ` +
      `and on (namespace, pod, container) ` +
      `(max ${BY_CONTAINER} (kube_pod_container_status_last_terminated_reason{${scope.matchers}, reason="OOMKilled"}) == 1)`,
  },
  cpu_request_cores: {
    about: "CPU requested, cores",
    max: MOST_CPUS,
    promql: ofResource("kube_pod_container_resource_requests", "cpu"),
  },
  memory_request_bytes: {
    about: "memory requested, bytes",
    max: MOST_BYTES,
    promql: ofResource("kube_pod_container_resource_requests", "memory"),
  },
  memory_limit_bytes: {
    about: "memory limit, bytes",
    max: MOST_BYTES,
    promql: ofResource("kube_pod_container_resource_limits", "memory"),
  },
  gpu_request_devices: {
    about: "whole GPUs requested",
    max: 64,
    promql: ofResource("kube_pod_container_resource_requests", "nvidia_com_gpu"),
  },
  gpu_sm_active_share: {
    about: "share of a GPU's multiprocessors that had work, 0 to 1",
    max: 1,
    isOfDevice: true,
    promql: ofDevice((metric) => metric("DCGM_FI_PROF_SM_ACTIVE")),
  },
  gpu_memory_used_bytes: {
    about: "a GPU's memory in use, bytes",
    max: MOST_BYTES,
    isOfDevice: true,
    promql: ofDevice((metric) => `${metric("DCGM_FI_DEV_FB_USED")} * 1048576`),
  },
  gpu_memory_total_bytes: {
    about: "a GPU's memory that a process can have, bytes",
    max: MOST_BYTES,
    isOfDevice: true,
    promql: ofDevice(
      (metric) => `(${metric("DCGM_FI_DEV_FB_USED")} + ${metric("DCGM_FI_DEV_FB_FREE")}) * 1048576`,
    ),
  },
  gpu_throttle_reasons: {
    about: "why a GPU's clock is held back, NVML's bit mask",
    max: 2 ** 32,
    isOfDevice: true,
    promql: ofDevice((metric) => metric("DCGM_FI_DEV_CLOCK_THROTTLE_REASONS")),
  },
} as const satisfies Record<string, MetricSpec>;

export type UsageMetric = keyof typeof USAGE_METRICS;

export const USAGE_METRIC_NAMES = Object.keys(USAGE_METRICS) as readonly UsageMetric[];

/** The registry's entry with every field it may have. */
export function metricSpec(metric: UsageMetric): MetricSpec {
  return USAGE_METRICS[metric];
}

export function isUsageMetric(name: string): name is UsageMetric {
  return Object.hasOwn(USAGE_METRICS, name);
}
