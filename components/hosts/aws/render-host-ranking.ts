import { renderColumns, wrapText } from "../../../cost/report/render-table.ts";
import type { HostRanking, PoolRanking, RankedType } from "./host-ranking.ts";

export interface HostRankingView {
  /** Rows of each list; the rest are counted. */
  readonly top: number;
  /** A type or a family, to say of each of its types what it lacks. */
  readonly why?: string;
}

/** The ranking for a terminal, at most 100 columns wide. */
export function renderHostRanking(ranking: HostRanking, view: HostRankingView): string {
  const { specifications, prices } = ranking;
  const origin = `Specifications: ${specifications.source}, as of ${specifications.asOf}. Prices of ${prices.region} per hour on demand, as of ${prices.asOf}: ${prices.source}. No account was asked: which zones have a type, pulumi preview says.`;
  const pools = ranking.pools.map((pool) => renderPool(pool, view));
  return `${[
    `Hosts of ${ranking.environment} in ${ranking.region}`,
    wrapText(origin, ""),
    ...(pools.length === 0 ? ["", "No pool is on AWS."] : pools),
  ].join("\n")}\n`;
}

function renderPool(pool: PoolRanking, view: HostRankingView): string {
  const count = pool.maxCount === pool.count ? `${pool.count}` : `${pool.count} to ${pool.maxCount}`;
  const hosts = `${count} ${count === "1" ? "host" : "hosts"}${pool.spot ? " on spot" : ""}`;
  return [
    "",
    `${pool.pool}: ${hosts}; ${pool.ranked.length} types fit, ${pool.rejectedTypes.length} do not`,
    ...pool.faults.map(({ path, message }) => wrapText(`fault: ${path}: ${message}`, "  ")),
    ...(view.why === undefined
      ? [...rankedLines(pool, view.top), ...rejectedLines(pool, view.top)]
      : whyLines(pool, view.why)),
    ...pool.unchecked.map((need) => wrapText(`left to the host: ${need}`, "  ")),
  ].join("\n");
}

function rankedLines(pool: PoolRanking, top: number): readonly string[] {
  if (pool.ranked.length === 0) return [];
  const rows = pool.ranked.slice(0, top).map(rankedCells);
  const header = ["", "type", "vCPUs", "memory", "NVMe", "network", "EFA", "GPUs", "per hour"];
  const more = pool.ranked.length - rows.length;
  return [
    "",
    renderColumns(
      [header, ...rows],
      ["left", "left", "right", "right", "right", "right", "right", "left", "right"],
    ),
    ...(more > 0 ? [`and ${more} more (--top ${pool.ranked.length})`] : []),
  ];
}

function rankedCells(spec: RankedType): readonly string[] {
  const perDisk = spec.nvmeDisks === null || spec.nvmeDisks === 0 ? 0 : spec.nvmeGB / spec.nvmeDisks;
  return [
    spec.isUsed ? "*" : "",
    spec.type,
    `${spec.vcpus}${spec.cpuOptions === null ? "" : " set"}`,
    `${Math.round((spec.memoryMiB / 1024) * 10) / 10} GiB`,
    spec.nvmeGB === 0 ? "-" : `${spec.nvmeDisks ?? "?"} x ${perDisk} GB`,
    spec.networkMbitPerSec === null ? "?" : `${spec.networkMbitPerSec / 1000} Gbit/s`,
    spec.efaInterfaces === 0 ? "-" : String(spec.efaInterfaces),
    spec.gpus.map(({ count, model }) => `${count} ${model}`).join(", ") || "-",
    spec.price.kind === "priced" ? `${spec.price.amount} ${spec.price.currency}` : "unpriced",
  ];
}

function rejectedLines(pool: PoolRanking, top: number): readonly string[] {
  const shown = pool.rejectedFamilies.slice(0, top);
  const more = pool.rejectedFamilies.length - shown.length;
  if (shown.length === 0) return [];
  return [
    "",
    "Families that do not fit, by their nearest type:",
    ...shown.map(({ because }) => `- ${wrapText(because, "  ")}`),
    ...(more > 0
      ? [`and ${more} more (--top ${pool.rejectedFamilies.length}); of one type: --why TYPE`]
      : []),
  ];
}

function whyLines(pool: PoolRanking, why: string): readonly string[] {
  const isMeant = (type: string): boolean => type === why || type.startsWith(`${why}.`);
  const fitting = pool.ranked.flatMap(({ type }, index) =>
    isMeant(type) ? [`- ${type} fits: number ${index + 1} of ${pool.ranked.length} by price`] : [],
  );
  const lacking = pool.rejectedTypes
    .filter(({ type }) => isMeant(type))
    .map(({ type, lacks }) => `- ${wrapText(`${type} ${lacks.join("; ")}`, "  ")}`);
  const lines = [...fitting, ...lacking];
  return lines.length === 0 ? [`- the catalogue has no type or family "${why}"`] : lines;
}
