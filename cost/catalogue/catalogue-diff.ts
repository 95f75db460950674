import { parseDecimal, percentOf, subtractDecimals } from "../money/exact-decimal.ts";
import { renderColumns } from "../report/render-table.ts";
import type { Catalogue, InstanceType } from "./catalogue.ts";

/** Decimal text per hour, or `unpriced`. */
type PriceText = string;

export interface CatalogueDiff {
  readonly region: string;
  readonly currency: string;
  readonly now: { readonly source: string; readonly pricesAsOf: string };
  readonly refreshed: { readonly source: string; readonly pricesAsOf: string; readonly types: number };
  /** Of the refreshed types, those without a price. */
  readonly unpriced: readonly string[];
  readonly added: readonly { readonly type: string; readonly price: PriceText }[];
  readonly gone: readonly { readonly type: string; readonly price: PriceText }[];
  readonly repriced: readonly {
    readonly type: string;
    readonly was: PriceText;
    readonly is: PriceText;
    /** Of the price as it was, one digit; null where one of the two is unpriced. */
    readonly percent: string | null;
  }[];
}

function priceText({ price }: InstanceType): PriceText {
  return price.kind === "priced" ? price.amount : "unpriced";
}

function percentBetween(was: PriceText, is: PriceText): string | null {
  if (was === "unpriced" || is === "unpriced") return null;
  return percentOf(subtractDecimals(parseDecimal(is), parseDecimal(was)), parseDecimal(was), 1) ?? null;
}

/** What a refreshed catalogue changes against the one in force, both of one region. */
export function diffCatalogues(now: Catalogue, refreshed: Catalogue): CatalogueDiff {
  const known = new Map(now.instanceTypes.map((spec) => [spec.type, spec]));
  const fresh = new Map(refreshed.instanceTypes.map((spec) => [spec.type, spec]));
  const listed = (spec: InstanceType) => ({ type: spec.type, price: priceText(spec) });
  return {
    region: refreshed.region,
    currency: refreshed.currency,
    now: { source: now.source, pricesAsOf: now.pricesAsOf },
    refreshed: { source: refreshed.source, pricesAsOf: refreshed.pricesAsOf, types: fresh.size },
    unpriced: [...fresh.values()].filter((spec) => spec.price.kind === "unpriced").map((spec) => spec.type),
    added: [...fresh.values()].filter((spec) => !known.has(spec.type)).map(listed),
    gone: [...known.values()].filter((spec) => !fresh.has(spec.type)).map(listed),
    repriced: [...fresh.values()].flatMap((spec) => {
      const before = known.get(spec.type);
      if (before === undefined) return [];
      const [was, is] = [priceText(before), priceText(spec)];
      return was === is ? [] : [{ type: spec.type, was, is, percent: percentBetween(was, is) }];
    }),
  };
}

/** Rows that a person takes in; JSON has all. */
const MOST_ROWS = 30;

/** The difference for a terminal, at most 100 columns wide. */
export function renderCatalogueDiff(diff: CatalogueDiff): string {
  const rows = [
    ...diff.added.map(({ type, price }) => ["new", type, "", price, ""]),
    ...diff.gone.map(({ type, price }) => ["gone", type, price, "", ""]),
    ...diff.repriced.map(({ type, was, is, percent }) => [
      "price",
      type,
      was,
      is,
      percent === null ? "" : `${percent} %`,
    ]),
  ];
  const left = rows.length - MOST_ROWS;
  return `${[
    `Catalogue of ${diff.region}, ${diff.currency} an hour on demand, Linux`,
    `In force:  prices of ${diff.now.pricesAsOf}, ${diff.now.source}`,
    `Refreshed: prices of ${diff.refreshed.pricesAsOf}, ${diff.refreshed.source}`,
    `${diff.refreshed.types} types, ${diff.unpriced.length} unpriced; ${diff.added.length} new, ${diff.gone.length} gone, ${diff.repriced.length} at another price`,
    ...(rows.length === 0
      ? []
      : [
          "",
          renderColumns(
            [["", "type", "was", "is", "change"], ...rows.slice(0, MOST_ROWS)],
            ["left", "left", "right", "right", "right"],
          ),
        ]),
    ...(left > 0 ? [`and ${left} more: --json has all`] : []),
  ].join("\n")}\n`;
}
