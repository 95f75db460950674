import type { ServiceSpec } from "../environment/environment-spec.ts";
import { IN_FLIGHT_METRIC } from "../service/service-capacity.ts";

/** One rule as Prometheus reads it. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: "critical" | "warning" };
  readonly annotations: { readonly summary: string; readonly description: string };
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly AlertRule[];
}

/** Share of calls that may fail in a month. Our choice: 99.9 % succeed. */
const ERROR_BUDGET = 0.001;

/**
 * How fast the month's budget burns before somebody is told, over a long window and, so that the alert ends when the
 * failure does, a short one. At 14.4 times an hour takes 2 % of it, at 6 times six hours take 5 %.
 *
 * @see https://sre.google/workbook/alerting-on-slos/#6-multiwindow-multi-burn-rate-alerts
 */
const BURN_RATES = [
  { factor: 14.4, long: "1h", short: "5m", severity: "critical" },
  { factor: 6, long: "6h", short: "30m", severity: "warning" },
] as const;

/**
 * Refusals that somebody has to look at, as shares of the requests. Clients without a token are refused once before they
 * get one, so that is normal up to about one in two; the others are not. Our choice.
 */
const REFUSALS = [
  {
    alert: "McpServiceUnauthorized",
    reason: "unauthorized",
    by: [],
    share: 0.5,
    who: "",
    description:
      'No token, or one that is expired or not for this service. At level debug its logs have an event "not-authorized" that says why; has the issuer changed its keys, its name or its audience?',
  },
  {
    alert: "McpServiceInsufficientScope",
    reason: "insufficient-scope",
    by: [],
    share: 0.05,
    who: "",
    description:
      "Tokens are valid and lack one of service.authorization.scopes: grant it to these clients at the issuer, or ask for less.",
  },
  {
    alert: "McpServiceRateLimited",
    reason: "rate",
    by: ["tenant"],
    share: 0.05,
    who: ", those of tenant {{ $labels.tenant }},",
    description:
      "The tenant calls more often than the rate limit lets it (429): find the client that repeats, or raise service.authorization.tenantRequestsPerSecond.",
  },
] as const;

/** A call that waits this long for the event loop has missed what any call here is for. Our choice. */
const SLOW_LOOP_SECONDS = 0.1;

/** Of the pod's memory, beyond which the kernel is near to killing it. Our choice. */
const MEMORY_SHARE = 0.9;

/** Of the periods in which it had work, those that the CPU limit cut short. Our choice. */
const THROTTLED_SHARE = 0.05;

const MIB = 1024 * 1024;

/** Pure. What somebody has to be told of the service in this namespace; each alert says what to look at. */
export function serviceRules(namespace: string, spec: ServiceSpec): RuleGroup {
  const of = `namespace="${namespace}"`;
  const scaling = spec.kubernetes?.scaling;
  return {
    name: `mcp-service.${namespace}`,
    rules: [
      {
        alert: "McpServiceDown",
        expr: `absent(up{${of},job="mcp-service"} == 1)`,
        for: "2m",
        labels: { severity: "critical" },
        annotations: {
          summary: `No replica of the MCP service in ${namespace} answers`,
          description: `kubectl -n ${namespace} get pods,events says whether none is scheduled, ready or scraped.`,
        },
      },
      ...BURN_RATES.map(({ factor, long, short, severity }) => ({
        alert: "McpServiceErrorBudgetBurn",
        expr: [long, short]
          .map(
            (window) => `${errorShare(of, window)} > ${String(Number((factor * ERROR_BUDGET).toFixed(6)))}`,
          )
          .join(" and "),
        labels: { severity },
        annotations: {
          summary: `{{ $value | humanizePercentage }} of the calls to the MCP service in ${namespace} fail`,
          description: `At this rate the month's ${ERROR_BUDGET * 100} % are gone early. Its logs have an event "request-failed" for each.`,
        },
      })),
      ...REFUSALS.map(({ alert, reason, by, share, who, description }) => ({
        alert,
        expr: `sum by (${by.join()}) (rate(mcp_refused_requests_total{${of},reason="${reason}"}[15m])) / on() group_left() ${requestRate(of, "", "15m")} > ${share}`,
        for: "15m",
        labels: { severity: "warning" as const },
        annotations: {
          summary: `{{ $value | humanizePercentage }} of the requests to the MCP service in ${namespace}${who} are refused: ${reason}`,
          description,
        },
      })),
      {
        alert: "McpServiceSlowEventLoop",
        expr: `nodejs_eventloop_lag_p99_seconds{${of}} > ${SLOW_LOOP_SECONDS}`,
        for: "10m",
        labels: { severity: "warning" },
        annotations: {
          summary: "{{ $labels.pod }} answers nothing for {{ $value | humanizeDuration }} at a time",
          description:
            "A tool computes on the event loop, or the pod has too few CPUs: take a CPU profile of it.",
        },
      },
      {
        alert: "McpServiceMemory",
        expr: `process_resident_memory_bytes{${of}} > ${Math.floor(spec.memoryMiB * MIB * MEMORY_SHARE)}`,
        for: "10m",
        labels: { severity: "warning" },
        annotations: {
          summary: `{{ $labels.pod }} holds {{ $value | humanize1024 }}B of its ${spec.memoryMiB} MiB`,
          description: "Beyond its limit the kernel kills it: find the leak, or raise service.memoryMiB.",
        },
      },
      {
        alert: "McpServiceThrottled",
        expr: `sum by (pod) (rate(container_cpu_cfs_throttled_periods_total{${of},container="mcp-service"}[10m])) / sum by (pod) (rate(container_cpu_cfs_periods_total{${of},container="mcp-service"}[10m])) > ${THROTTLED_SHARE}`,
        for: "10m",
        labels: { severity: "warning" },
        annotations: {
          summary: "{{ $labels.pod }} waits for CPU in {{ $value | humanizePercentage }} of its periods",
          description: `It wants more than its ${spec.cpus} CPUs: raise service.cpus, or add replicas.`,
        },
      },
      ...(scaling === undefined
        ? []
        : [
            {
              alert: "McpServiceAtMaximum",
              expr: `count(${IN_FLIGHT_METRIC}{${of}}) >= ${scaling.maxReplicas} and avg(${IN_FLIGHT_METRIC}{${of}}) > ${scaling.inFlightPerReplica}`,
              for: "15m",
              labels: { severity: "warning" as const },
              annotations: {
                summary: `All ${scaling.maxReplicas} replicas in ${namespace} have more calls in flight than they are meant for`,
                description: "Callers wait. Raise scaling.maxReplicas, or see which tool has become slow.",
              },
            },
          ]),
    ],
  };
}

/** Requests a second to the MCP endpoint. */
function requestRate(of: string, more: string, window: string): string {
  return `sum(rate(mcp_http_requests_total{${of},path="/mcp"${more}}[${window}]))`;
}

function errorShare(of: string, window: string): string {
  return `${requestRate(of, ',status=~"5.."', window)} / ${requestRate(of, "", window)}`;
}
