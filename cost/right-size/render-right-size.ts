import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import type { PoolPlan, ResourceReport, RightSizeReport, WorkloadReport } from "./right-size-report.ts";

const MIB = 1024 * 1024;

function cpuText(cores: number | null): string {
  return cores === null ? "-" : cores.toFixed(cores < 10 ? 2 : 1);
}

function memoryText(bytes: number | null): string {
  return bytes === null ? "-" : `${Math.ceil(bytes / MIB)} MiB`;
}

function resourceCells(
  workload: WorkloadReport,
  name: "cpu" | "memory",
  resource: ResourceReport,
): readonly string[] {
  const text = name === "cpu" ? cpuText : memoryText;
  const label = `${workload.namespace}/${workload.owner} ${workload.container}`;
  return [
    name === "cpu" ? cellText(label, 36) : "",
    name === "cpu" ? String(workload.pods) : "",
    name === "cpu" ? "CPU" : "memory",
    text(resource.requested),
    text(resource.p95),
    text(resource.peak),
    text(resource.target),
    resource.confidence.level,
  ];
}

function workloadRows(report: RightSizeReport): readonly (readonly string[])[] {
  return report.workloads.flatMap((workload) => [
    resourceCells(workload, "cpu", workload.cpuCores),
    resourceCells(workload, "memory", workload.memoryBytes),
  ]);
}

function hostsText(hosts: PoolPlan["now"]): string {
  return hosts === null ? "-" : `${hosts.count} x ${hosts.instanceType}`;
}

function centsText(perMonth: string): string {
  return Number(perMonth).toFixed(2);
}

function poolRow(plan: PoolPlan): readonly string[] {
  return [
    cellText(plan.pool, 24),
    hostsText(plan.now),
    plan.now === null ? "" : centsText(plan.now.perMonth),
    hostsText(plan.after),
    plan.after === null ? "" : centsText(plan.after.perMonth),
    plan.outcome,
  ];
}

function percentText(share: number | null): string {
  return share === null ? "not known" : `${Math.round(share * 100)} %`;
}

function gpuLines(report: RightSizeReport): readonly string[] {
  return report.workloads.flatMap(({ namespace, owner, container, gpu }) => {
    if (gpu === null) return [];
    const asked = gpu.devicesRequested === null ? "?" : String(gpu.devicesRequested);
    const advised = gpu.devicesAdvised === null ? "no advice" : `${gpu.devicesAdvised} advised`;
    const slice = gpu.migProfile === null ? "" : `, ${gpu.migProfile}`;
    const why = gpu.because.length === 0 ? "" : `: ${gpu.because.join("; ")}`;
    return [
      `${namespace}/${owner} ${container}: ${asked} requested, ${advised}${slice}; activity p95 ${percentText(gpu.smActiveP95)}, memory ${memoryText(gpu.memoryUsedPeakBytes)} of ${memoryText(gpu.memoryTotalBytes)}, held back ${percentText(gpu.throttledShare)}${why}`,
    ];
  });
}

function reasonLines(report: RightSizeReport): readonly string[] {
  const service = report.workloads.filter(({ isOfEnvironment }) => isOfEnvironment);
  return [
    ...service.flatMap(({ container, cpuCores, memoryBytes }) => [
      `${container} CPU: ${cpuCores.because.join(", ")}`,
      `${container} memory: ${memoryBytes.because.join(", ")}`,
    ]),
    ...report.pools.map(({ pool, because }) => `pool ${pool}: ${because}`),
  ];
}

function list(title: string, items: readonly string[]): readonly string[] {
  return items.length === 0
    ? []
    : ["", title, ...items.map((item) => `- ${wrapText(cellText(item, 2000), "  ")}`)];
}

/** The recommendation for a terminal, at most 100 columns wide. */
export function renderRightSizeTable(report: RightSizeReport): string {
  const { usage, saving, currency } = report;
  const head = ["workload", "pods", "", "requested", "p95", "peak", "needs", "sure"];
  const poolHead = ["pool", "now", "per month", "after", "per month", ""];
  const gross =
    saving.perMonth === saving.beforeCommitmentsPerMonth
      ? ""
      : ` (${centsText(saving.beforeCommitmentsPerMonth)} before commitments)`;
  return `${[
    `Right-size ${report.environment} in ${report.region}, ${currency}, prices as of ${report.pricesAsOf}`,
    wrapText(`Use of ${usage.first} to ${usage.last}: ${cellText(usage.source, 200)}`, ""),
    "",
    renderColumns(
      [head, ...workloadRows(report)],
      ["left", "right", "left", "right", "right", "right", "right", "left"],
    ),
    "",
    renderColumns(
      [poolHead, ...report.pools.map(poolRow)],
      ["left", "left", "right", "left", "right", "left"],
    ),
    "",
    wrapText(
      `Saving ${saving.perMonthRounded} ${currency} a month${gross}: ${saving.because}. Hosts: ${saving.hostsNow} now, ${saving.hostsAfter} after.`,
      "",
    ),
    ...list("GPUs", gpuLines(report)),
    ...list(
      "Changes of the environment file (--write makes them, for review)",
      report.changes.map(({ path, from, to }) => `${path}: ${from} -> ${to}`),
    ),
    ...list("Why", reasonLines(report)),
    ...list("Assumptions", report.assumptions),
    ...list("Notes", report.notes),
  ].join("\n")}\n`;
}

const HEADER =
  "section,environment,currency,name,container,pods,resource,requested,p95,peak,target,lower,upper,confidence,now,now_per_month,after,after_per_month,outcome,because".split(
    ",",
  );

function resourceCsv(
  report: RightSizeReport,
  workload: WorkloadReport,
  resource: "cpu_cores" | "memory_bytes",
): string {
  const own = resource === "cpu_cores" ? workload.cpuCores : workload.memoryBytes;
  const number = (value: number | null): string => (value === null ? "" : String(value));
  return csvLine([
    "workload",
    report.environment,
    report.currency,
    `${workload.namespace}/${workload.owner}`,
    workload.container,
    String(workload.pods),
    resource,
    number(own.requested),
    number(own.p95),
    number(own.peak),
    number(own.target),
    number(own.lower),
    number(own.upper),
    own.confidence.level,
    "",
    "",
    "",
    "",
    "",
    own.because.join("; "),
  ]);
}

/** The recommendation as CSV by RFC 4180: workloads, pools, and the saving. */
export function renderRightSizeCsv(report: RightSizeReport): string {
  const blank = (count: number): string[] => Array.from({ length: count }, () => "");
  const start = (section: string): string[] => [section, report.environment, report.currency];
  return [
    csvLine(HEADER),
    ...report.workloads.flatMap((workload) => [
      resourceCsv(report, workload, "cpu_cores"),
      resourceCsv(report, workload, "memory_bytes"),
    ]),
    ...report.pools.map((plan) =>
      csvLine([
        ...start("pool"),
        plan.pool,
        ...blank(10),
        hostsText(plan.now),
        plan.now?.perMonth ?? "",
        hostsText(plan.after),
        plan.after?.perMonth ?? "",
        plan.outcome,
        plan.because,
      ]),
    ),
    csvLine([...start("saving"), ...blank(14), report.saving.perMonth, "", report.saving.because]),
  ].join("");
}
