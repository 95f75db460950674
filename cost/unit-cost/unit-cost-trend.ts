import { Decimal } from "decimal.js";
import * as z from "zod";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { csvLine } from "../report/render-csv.ts";
import { cellText, renderColumns, wrapText } from "../report/render-table.ts";
import { type EnvironmentUnitCost, type UnitCost, unitCostSchema } from "./unit-cost.ts";

const money = z.string().regex(/^-?\d+(\.\d+)?$/, "a decimal amount");

const pointSchema = z.strictObject({
  month: z.string().regex(/^\d{4}-\d{2}$/),
  calls: z.int().min(0),
  costRounded: money,
  costPerMillionCalls: money.nullable().describe("Null where there were no calls"),
  isUpperBound: z.boolean().describe("Calls of unwatched days are unknown: the true unit cost is lower"),
  changePercent: z
    .string()
    .nullable()
    .describe("Of the unit cost, to the month before; null where either is unknown or an upper bound"),
});

/** Unit cost of every billing period of a bill, one beside another. */
export const unitCostTrendSchema = z
  .strictObject({
    apiVersion: z.literal(API_VERSION),
    kind: z.literal("UnitCostTrend"),
    currency: z.string().regex(/^[A-Z]{3}$/),
    environments: z.array(
      z.strictObject({ environment: z.string(), team: z.string(), points: z.array(pointSchema) }),
    ),
    months: z.array(unitCostSchema).min(1),
  })
  .describe("Cost per million tool calls of environments over billing periods");

export type UnitCostTrend = z.output<typeof unitCostTrendSchema>;
type Point = z.output<typeof pointSchema>;

/** Two known unit costs alone make a change: an upper bound beside a whole month would be a fall that never was. */
function changePercent(before: Point | undefined, now: EnvironmentUnitCost): string | null {
  if (before === undefined || before.isUpperBound || now.isUpperBound) return null;
  if (before.costPerMillionCalls === null || now.costPerMillionCalls === null) return null;
  const base = new Decimal(before.costPerMillionCalls);
  if (!base.isPositive() || base.isZero()) return null;
  return new Decimal(now.costPerMillionCalls).minus(base).div(base).times(100).toFixed(1);
}

/** Months in order; each has every environment. Pure. */
export function buildUnitCostTrend(months: readonly UnitCost[]): UnitCostTrend {
  const inOrder = months.toSorted((a, b) => (a.month < b.month ? -1 : 1));
  const [first] = inOrder;
  return {
    apiVersion: API_VERSION,
    kind: "UnitCostTrend",
    currency: first?.currency ?? "",
    environments: (first?.environments ?? []).map(({ environment, team }) => {
      const points: Point[] = [];
      for (const unitCost of inOrder) {
        const own = unitCost.environments.find((row) => row.environment === environment);
        if (own === undefined) continue;
        points.push({
          month: unitCost.month,
          calls: own.calls,
          costRounded: own.costRounded,
          costPerMillionCalls: own.costPerMillionCalls,
          isUpperBound: own.isUpperBound,
          changePercent: changePercent(points.at(-1), own),
        });
      }
      return { environment, team, points };
    }),
    months: [...inOrder],
  };
}

function signed(percent: string): string {
  return percent.startsWith("-") ? `${percent} %` : `+${percent} %`;
}

/** The trend for a terminal, at most 100 columns wide. */
export function renderUnitCostTrendTable({ currency, environments, months }: UnitCostTrend): string {
  const notes = [
    ...new Set(months.flatMap(({ month, notes: own }) => own.map((note) => `${month}: ${note}`))),
  ];
  return `${[
    `Cost per million tool calls by billing period, ${currency}, effective cost`,
    ...environments.flatMap(({ environment, team, points }) => [
      "",
      `${cellText(environment, 40)} (${cellText(team, 40)})`,
      renderColumns(
        [
          ["month", "calls", "cost", "per million", "change"],
          ...points.map((point) => [
            point.month,
            point.calls.toLocaleString("en-US"),
            point.costRounded,
            `${point.isUpperBound && point.costPerMillionCalls !== null ? "at most " : ""}${point.costPerMillionCalls ?? "-"}`,
            point.changePercent === null ? "-" : signed(point.changePercent),
          ]),
        ],
        ["left", "right", "right", "right", "right"],
      ),
    ]),
    "",
    "Notes",
    ...notes.map((note) => `- ${wrapText(cellText(note, 400), "  ")}`),
  ].join("\n")}\n`;
}

const HEADER =
  "environment,team,month,currency,calls,cost_rounded,cost_per_million_calls,is_upper_bound,change_percent".split(
    ",",
  );

/** The trend as CSV by RFC 4180: a line for each environment and month. */
export function renderUnitCostTrendCsv({ currency, environments }: UnitCostTrend): string {
  const lines = environments.flatMap(({ environment, team, points }) =>
    points.map((point) =>
      csvLine([
        environment,
        team,
        point.month,
        currency,
        String(point.calls),
        point.costRounded,
        point.costPerMillionCalls ?? "",
        String(point.isUpperBound),
        point.changePercent ?? "",
      ]),
    ),
  );
  return csvLine(HEADER) + lines.join("");
}
