import type { ObservedUsage, SeriesLabels, UsageSeries } from "../../../cost/right-size/container-usage.ts";
import type { UsageMetric } from "../../../cost/right-size/usage-metrics.ts";

export const DAY_SECONDS = 86_400;
export const MIB = 1024 * 1024;
/** 2026-07-01T00:00:00Z. */
export const START_SECONDS = 1_782_864_000;

export const SERVICE: SeriesLabels = {
  namespace: "mcp-gateway-prod",
  ownerKind: "Deployment",
  owner: "mcp-service",
  pod: "mcp-service-6f7d-a",
  container: "mcp-service",
  device: "",
  gpuModel: "",
};

/** A series of one metric every five minutes; `valueAt` gets the day, from 0. */
export function series(
  metric: UsageMetric,
  days: number,
  valueAt: (day: number, index: number) => number | undefined,
  labels: Partial<SeriesLabels> = {},
): UsageSeries {
  const points = Array.from({ length: days * 288 }, (_, index) => index).flatMap((index) => {
    const value = valueAt(index / 288, index);
    return value === undefined ? [] : [{ atSeconds: START_SECONDS + index * 300, value }];
  });
  return { ...SERVICE, ...labels, metric, points };
}

export function observed(days: number, all: readonly UsageSeries[]): ObservedUsage {
  const lastSeconds = START_SECONDS + days * DAY_SECONDS - 300;
  return {
    source: "use.csv",
    window: { firstSeconds: START_SECONDS, lastSeconds, stepSeconds: 300 },
    series: all,
    notes: [],
  };
}

/** As `readUsageCsv` reads it. */
export function usageCsv(all: readonly UsageSeries[]): string {
  const header = "time,namespace,owner_kind,owner,pod,container,metric,value,device,gpu_model";
  const lines = all.flatMap((one) =>
    one.points.map(({ atSeconds, value }) =>
      [
        new Date(atSeconds * 1000).toISOString(),
        one.namespace,
        one.ownerKind,
        one.owner,
        one.pod,
        one.container,
        one.metric,
        value,
        one.device,
        one.gpuModel,
      ].join(","),
    ),
  );
  return `${[header, ...lines].join("\n")}\n`;
}
