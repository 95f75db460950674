import type { MonthKind } from "./month-kinds.ts";
import { PRODUCT } from "./month-tables.ts";
import type { Charge, CurLine, Scene, Tags } from "./scene.ts";

/** How the values of a file's columns are written. */
export type Container = "parquet" | "text";

/** Lines of a month, as SQL over its events. */
export interface LineSet {
  readonly linesOf: (scene: Scene) => number;
  /** A column's SQL by the lines that have it so, and what every other line has. */
  readonly columns: (scenes: readonly Scene[], container: Container) => readonly Column[];
}

interface Column {
  readonly name: string;
  readonly sql: string;
}

/** More lines than any scene has. */
const LINES_PER_SCENE = 8;

/** `kind` of a line: its scene and its place in the scene. */
export const LINE_KIND = `scene * ${LINES_PER_SCENE} + line`;

/** A `case` over the kinds of lines, with as few branches as there are different values. */
export function byKind<T>(
  scenes: readonly Scene[],
  lines: (scene: Scene) => readonly T[],
  value: (line: T) => string,
): string {
  const kinds = scenes.flatMap((scene, index) =>
    lines(scene).map((line, place) => ({ kind: index * LINES_PER_SCENE + place, value: value(line) })),
  );
  const groups = [...Map.groupBy(kinds, (entry) => entry.value)].toSorted(
    ([, a], [, b]) => a.length - b.length,
  );
  const [usual = "null"] = groups.at(-1) ?? [];
  const branches = groups
    .slice(0, -1)
    .map(([sql, same]) => `when kind in (${same.map(({ kind }) => kind).join(", ")}) then ${sql}`);
  return branches.length === 0 ? usual : `case ${branches.join(" ")} else ${usual} end`;
}

/** How many lines the scene of an event has. */
export function linesSql(scenes: readonly Scene[], linesOf: (scene: Scene) => number): string {
  const counts = [...Map.groupBy(scenes.keys(), (index) => linesOf(scenes[index] as Scene))];
  const branches = counts.map(([count, same]) => `when scene in (${[...same].join(", ")}) then ${count}`);
  return `case ${branches.join(" ")} end`;
}

/**
 * Money: a plain decimal with ten digits in text, in Parquet the double nearest to it, as AWS writes it. `money(x)` of a
 * scene stands for it.
 */
function money(units: string, container: Container): string {
  return container === "parquet"
    ? `cast(${units} as double) / 1e10`
    : `cast(${units} as decimal(18, 0)) * 0.0000000001`;
}

function withMoney(sql: string, container: Container): string {
  const units = /^money\((.*)\)$/.exec(sql)?.[1];
  return units === undefined ? sql : money(units, container);
}

function timeSql(time: string, container: Container): string {
  return container === "parquet" ? time : `strftime(${time}, '%Y-%m-%d %H:%M:%S')`;
}

const OWNERS = { team: "team", pod_a: "pod_a_team", pod_b: "pod_b_team" } as const;

/** The tags of a line by their bare keys; undefined where it has none. */
function tagsOf(tags: Tags): Readonly<Record<string, string>> | undefined {
  if (tags === "none") return undefined;
  const environment = "case when resource % 5 = 0 then 'staging' else 'prod' end";
  if (tags === "without-team") return { environment };
  const team = OWNERS[tags];
  return {
    team,
    environment,
    service: `${team} || '-mcp'`,
    cost_center: `'CC-' || length(${team})`,
  };
}

function tagsSql(tags: Tags, prefix: string, container: Container): string {
  const found = tagsOf(tags);
  if (found === undefined) return container === "parquet" ? "cast(map {} as map(varchar, varchar))" : "'{}'";
  const map = `map {${Object.entries(found)
    .map(([key, value]) => `'${prefix}${key}': ${value}`)
    .join(", ")}}`;
  return container === "parquet" ? map : `cast(to_json(${map}) as varchar)`;
}

const PERIOD = { start: "month_start", end: "month_end" };

const USAGE: Readonly<Record<string, string>> = {
  identity_line_item_id: "printf('%014x%08x%08x', i * 8 + line, chance_a, chance_b)",
  identity_time_interval:
    "strftime(starts_at, '%Y-%m-%dT%H:%M:%SZ/') || strftime(ends_at, '%Y-%m-%dT%H:%M:%SZ')",
  bill_billing_entity: "'AWS'",
  bill_bill_type: "'Anniversary'",
  bill_payer_account_id: "'111122223333'",
  bill_invoice_id: "'EUINV26-' || account",
  bill_billing_period_start_date: PERIOD.start,
  bill_billing_period_end_date: PERIOD.end,
  line_item_usage_account_id: "account",
  line_item_line_item_type: "'Usage'",
  line_item_usage_start_date: "starts_at",
  line_item_usage_end_date: "ends_at",
  line_item_product_code: PRODUCT.code,
  line_item_usage_type: `region_prefix || '-' || ${PRODUCT.usage}`,
  line_item_operation: PRODUCT.operation,
  line_item_availability_zone: "region || 'a'",
  line_item_resource_id: PRODUCT.resourceId,
  line_item_usage_amount: "cast(1 + chance_c % 1000 as double) / 100",
  line_item_currency_code: "'USD'",
  line_item_line_item_description: `'$0.0' || chance_c % 1000 || ' per ' || ${PRODUCT.unit} || ' of ' || ${PRODUCT.name}`,
  product_product_name: PRODUCT.name,
  product_servicecode: PRODUCT.code,
  product_region_code: "region",
  product_instance_type: "cast(null as varchar)",
  pricing_unit: PRODUCT.unit,
};

const CUR_NULLABLE = [
  "reservation_reservation_a_r_n",
  "savings_plan_savings_plan_a_r_n",
  "split_line_item_parent_resource_id",
] as const;

const CUR_AMOUNTS = [
  "reservation_effective_cost",
  "reservation_net_effective_cost",
  "reservation_unused_amortized_upfront_fee_for_billing_period",
  "reservation_unused_recurring_fee",
  "savings_plan_savings_plan_effective_cost",
  "savings_plan_net_savings_plan_effective_cost",
  "savings_plan_total_commitment_to_date",
  "savings_plan_used_commitment",
  "split_line_item_split_cost",
  "split_line_item_unused_cost",
  "split_line_item_net_split_cost",
  "split_line_item_net_unused_cost",
] as const;

const TIMES: ReadonlySet<string> = new Set([
  "bill_billing_period_start_date",
  "bill_billing_period_end_date",
  "line_item_usage_start_date",
  "line_item_usage_end_date",
  "BillingPeriodStart",
  "BillingPeriodEnd",
  "ChargePeriodStart",
  "ChargePeriodEnd",
]);

function valueSql(name: string, sql: string, container: Container): string {
  return TIMES.has(name) ? timeSql(sql, container) : withMoney(sql, container);
}

function curColumns(
  scenes: readonly Scene[],
  container: Container,
  tags: readonly Column[],
): readonly Column[] {
  const column = (name: string, otherwise: string): Column => ({
    name,
    sql: byKind<CurLine>(
      scenes,
      (scene) => scene.cur,
      (line) => valueSql(name, line.columns[name] ?? otherwise, container),
    ),
  });
  const unblended = (name: string): Column => ({
    name,
    sql: byKind<CurLine>(
      scenes,
      (scene) => scene.cur,
      (line) => money(`(${line.unblended ?? "0"})`, container),
    ),
  });
  return [
    ...Object.entries(USAGE).map(([name, sql]) => column(name, sql)),
    unblended("line_item_unblended_cost"),
    unblended("line_item_net_unblended_cost"),
    {
      name: "pricing_public_on_demand_cost",
      sql: byKind<CurLine>(
        scenes,
        (scene) => scene.cur,
        (line) =>
          line.columns["line_item_line_item_type"] === undefined && line.unblended !== undefined
            ? money(`(${line.unblended})`, container)
            : money("0", container),
      ),
    },
    ...CUR_NULLABLE.map((name) => column(name, "cast(null as varchar)")),
    ...CUR_AMOUNTS.map((name) =>
      column(name, container === "parquet" ? "cast(null as double)" : "cast(null as decimal(18, 10))"),
    ),
    ...tags,
  ];
}

/** Exports of Cost and Usage Reports, CUR 2.0: snake case, tags in one column. */
const CUR2: LineSet = {
  linesOf: (scene) => scene.cur.length,
  columns: (scenes, container) =>
    curColumns(scenes, container, [
      {
        name: "resource_tags",
        sql: byKind<CurLine>(
          scenes,
          (scene) => scene.cur,
          (line) => tagsSql(line.tags ?? "team", "user_", container),
        ),
      },
    ]),
};

/** `savings_plan_savings_plan_a_r_n` as legacy reports write it: `savingsPlan/SavingsPlanARN`. */
export function legacyName(column: string): string {
  const group =
    [
      "savings_plan",
      "split_line_item",
      "line_item",
      "reservation",
      "identity",
      "pricing",
      "product",
      "bill",
    ].find((prefix) => column.startsWith(`${prefix}_`)) ?? "";
  const camel = (text: string): string =>
    text.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return `${camel(group)}/${camel(column.slice(group.length))}`;
}

const TAG_KEYS = ["team", "environment", "service", "cost_center"] as const;

const LEGACY: LineSet = {
  linesOf: CUR2.linesOf,
  columns: (scenes, container) => [
    ...curColumns(scenes, container, []).map(({ name, sql }) => ({ name: legacyName(name), sql })),
    ...TAG_KEYS.map((key) => ({
      name: `resourceTags/user:${key}`,
      sql: byKind<CurLine>(
        scenes,
        (scene) => scene.cur,
        (line) => tagsOf(line.tags ?? "team")?.[key] ?? "cast(null as varchar)",
      ),
    })),
  ],
};

function focusCharges(scene: Scene): readonly Charge[] {
  return scene.charges.filter((charge) => charge.only !== "CUR");
}

const NO_TEXT = "cast(null as varchar)";

/** What FOCUS 1.0 has, for plain usage. */
const FOCUS_USAGE: Readonly<Record<string, string>> = {
  AvailabilityZone: "region || 'a'",
  BillingAccountId: "'111122223333'",
  BillingAccountName: "'payer'",
  BillingCurrency: "'USD'",
  BillingPeriodEnd: PERIOD.end,
  BillingPeriodStart: PERIOD.start,
  ChargeCategory: "'Usage'",
  ChargeClass: NO_TEXT,
  ChargeDescription: `'$0.0' || chance_c % 1000 || ' per ' || ${PRODUCT.unit} || ' of ' || ${PRODUCT.name}`,
  ChargeFrequency: "'Usage-Based'",
  ChargePeriodEnd: "ends_at",
  ChargePeriodStart: "starts_at",
  CommitmentDiscountCategory: NO_TEXT,
  CommitmentDiscountId: NO_TEXT,
  CommitmentDiscountName: NO_TEXT,
  CommitmentDiscountStatus: NO_TEXT,
  CommitmentDiscountType: NO_TEXT,
  ConsumedQuantity: "cast(1 + chance_c % 1000 as double) / 100",
  ConsumedUnit: PRODUCT.unit,
  InvoiceIssuerName: "'Amazon Web Services, Inc.'",
  PricingCategory: "'Standard'",
  PricingQuantity: "cast(1 + chance_c % 1000 as double) / 100",
  PricingUnit: PRODUCT.unit,
  ProviderName: "'AWS'",
  PublisherName: "'AWS'",
  RegionId: "region",
  RegionName: "region",
  ResourceId: PRODUCT.resourceId,
  ResourceName: NO_TEXT,
  ResourceType: PRODUCT.operation,
  ServiceCategory: PRODUCT.category,
  ServiceName: PRODUCT.name,
  SkuId: "'SKU-' || product",
  SkuPriceId: "'SKU-' || product || '.OND'",
  SubAccountId: "account",
  SubAccountName: "'account-' || account",
};

/** Columns that came with a version. */
const FOCUS_ADDED = [
  [
    "focus-1.1",
    {
      CapacityReservationId: NO_TEXT,
      CapacityReservationStatus: NO_TEXT,
      CommitmentDiscountQuantity: "cast(null as double)",
      CommitmentDiscountUnit: NO_TEXT,
      ServiceSubcategory: "'Other'",
      SkuMeter: PRODUCT.operation,
      SkuPriceDetails: NO_TEXT,
    },
  ],
  [
    "focus-1.2",
    {
      BillingAccountType: "'Payer'",
      InvoiceId: "'EUINV26-' || account",
      PricingCurrency: "'USD'",
      SubAccountType: "'Member'",
    },
  ],
  [
    "focus-1.3",
    {
      AllocatedMethodId: NO_TEXT,
      AllocatedMethodDetails: NO_TEXT,
      AllocatedResourceId: NO_TEXT,
      AllocatedResourceName: NO_TEXT,
      AllocatedTags: NO_TEXT,
      ContractApplied: NO_TEXT,
      HostProviderName: "'AWS'",
      ServiceProviderName: "'AWS'",
    },
  ],
] as const;

function focusSet(kind: MonthKind): LineSet {
  const added = FOCUS_ADDED.filter(([version]) => version <= kind).map(([, columns]) => columns);
  const usage: Readonly<Record<string, string>> = Object.assign({}, FOCUS_USAGE, ...added);
  return {
    linesOf: (scene) => focusCharges(scene).length,
    columns: (scenes, container) => {
      const by = (value: (charge: Charge) => string): string => byKind(scenes, focusCharges, value);
      const amount = (name: string, units: (charge: Charge) => string): Column => ({
        name,
        sql: by((charge) => money(`(${units(charge)})`, container)),
      });
      return [
        amount("BilledCost", (charge) => charge.billed ?? "0"),
        amount("ContractedCost", (charge) => charge.effective ?? "0"),
        amount("EffectiveCost", (charge) => charge.effective ?? "0"),
        amount("ListCost", (charge) => charge.billed ?? charge.effective ?? "0"),
        ...Object.entries(usage).map(([name, sql]) => ({
          name,
          sql: by((charge) => valueSql(name, charge.focus?.[name] ?? sql, container)),
        })),
        { name: "Tags", sql: by((charge) => tagsSql(charge.tags ?? "team", "", container)) },
      ];
    },
  };
}

export function lineSetOf(kind: MonthKind): LineSet {
  if (kind === "cur2") return CUR2;
  return kind === "legacy" ? LEGACY : focusSet(kind);
}

/** The scenes that a kind of bill can tell. */
export function scenesFor(kind: MonthKind, scenes: readonly Scene[]): readonly Scene[] {
  const [plain] = scenes;
  if (kind !== "focus-1.0" || plain === undefined) return scenes;
  return scenes.map((scene) =>
    scene.sinceFocus === undefined ? scene : { ...plain, name: scene.name, weight: scene.weight },
  );
}
