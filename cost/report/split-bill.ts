import * as z from "zod";
import type { BillQueries } from "./bill-database.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { parseDecimal } from "../money/exact-decimal.ts";
import { bucketSchema, reasonSchema } from "./cost-report.ts";
import {
  renderBillTotalsSql,
  renderCommitmentsSql,
  renderCostLinesSql,
  renderNodesSql,
  type SqlSettings,
} from "./render-sql.ts";

/** DuckDB gives counts as text or number and decimals as text. */
export const countSchema = z.coerce.number().int();
export const decimalSchema = z
  .string()
  .regex(/^-?\d+(\.\d+)?$/)
  .transform(parseDecimal);

const splitLineSchema = z.object({
  currency: z.string(),
  billing_month: z.string(),
  bucket: bucketSchema,
  owner: z.string().nullable(),
  because: reasonSchema.nullable(),
  provider_service: z.string(),
  charge_category: z.enum(["Usage", "Purchase", "Tax", "Credit", "Adjustment"]),
  /** Which allocation rules' conditions on the bill's columns hold: a `1` or `0` for each rule, in their order. */
  rules: z.string().regex(/^[01]*$/),
  /** The node or volume whose pods the line is split by. */
  item: z.string().nullable(),
  /** The service, team or account whose owner changes within the charge period, as the owners file names it. */
  owner_span: z.string().nullable(),
  /** `start/end` of the charge, where it is split by time or by pods. */
  charge_period: z.string().nullable(),
  /** The day that the charge starts on, where it is asked for. */
  charge_day: z.iso.date().nullable(),
  line_count: countSchema,
  ambiguous_count: countSchema,
  overridden_count: countSchema,
  unlisted_count: countSchema,
  billed: decimalSchema,
  effective: decimalSchema,
  list: decimalSchema,
  positive_usage_billed: decimalSchema,
  positive_usage_effective: decimalSchema,
});

const billTotalSchema = z.object({
  currency: z.string(),
  line_count: countSchema,
  unlisted_count: countSchema,
  billed: decimalSchema,
  effective: decimalSchema,
  list: decimalSchema,
  first_month: z.string(),
  last_month: z.string(),
  first_day: z.string(),
  last_day: z.string(),
  unamortized_count: countSchema,
  unamortized_billed: decimalSchema,
  odd_credit_count: countSchema,
  odd_credit_billed: decimalSchema,
  odd_credit_effective: decimalSchema,
  other_month_count: countSchema,
});

const commitmentSchema = z.object({
  currency: z.string(),
  commitment_id: z.string(),
  commitment_type: z.string().nullable(),
  purchased: decimalSchema,
  used: decimalSchema,
  used_list: decimalSchema,
  unlisted_count: countSchema,
  unused: decimalSchema,
});

const nodeSchema = z.object({
  currency: z.string(),
  node: z.string(),
  resource: z.enum(["cpu", "memory", "gpu", ""]).transform((resource) => (resource === "" ? null : resource)),
  used: decimalSchema,
  idle: decimalSchema,
});

/** What was bought of a commitment, what was used of it and what not. */
export type CommitmentTotal = z.output<typeof commitmentSchema>;
/** What pods used of a node's resource, and what was idle. */
export type NodeTotal = z.output<typeof nodeSchema>;
/** Lines of the bill that are alike in all that the report shows, added up. */
export type SplitLine = z.output<typeof splitLineSchema>;
/** One currency of the bill, added up without any split. */
export type BillTotal = z.output<typeof billTotalSchema>;

export async function readSplitLines(
  database: BillQueries,
  settings: SqlSettings,
): Promise<readonly SplitLine[]> {
  return z.array(splitLineSchema).parse(await database.rows(renderCostLinesSql(settings)));
}

export async function readBillTotals(
  database: BillQueries,
  settings: Pick<SqlSettings, "month" | "scale">,
): Promise<readonly BillTotal[]> {
  return z.array(billTotalSchema).parse(await database.rows(renderBillTotalsSql(settings)));
}

export async function readCommitments(
  database: BillQueries,
  settings: Pick<SqlSettings, "month" | "scale">,
): Promise<readonly CommitmentTotal[]> {
  return z.array(commitmentSchema).parse(await database.rows(renderCommitmentsSql(settings)));
}

export async function readNodes(
  database: BillQueries,
  settings: Pick<SqlSettings, "month" | "scale">,
): Promise<readonly NodeTotal[]> {
  return z.array(nodeSchema).parse(await database.rows(renderNodesSql(settings)));
}

const tagKeySchema = z.array(z.object({ spelling: z.string(), lines: countSchema }));

/** Every tag key of the bill as it is spelled there, the most used first. */
export async function readTagKeys(database: BillQueries): Promise<z.output<typeof tagKeySchema>> {
  return tagKeySchema.parse(
    await database.rows(
      `select u.k as spelling, sum(lines) as lines
       from (select x_Lines as lines, cast(json_parse(Tags) as map(varchar, varchar)) as tags from bill where Tags is not null) as t
       cross join unnest(map_keys(tags)) as u(k)
       group by u.k order by lines desc, spelling`,
    ),
  );
}

const monthSchema = z.array(z.object({ month: z.string() }));

/** The billing periods that the file has, by their first month. */
export async function readBillingMonths(database: BillQueries): Promise<readonly string[]> {
  const rows = await database.rows(
    "select distinct substr(BillingPeriodStart, 1, 7) as month from bill order by month",
  );
  return monthSchema.parse(rows).map((row) => row.month);
}

const periodSchema = z.object({
  currency: z.string(),
  month: z.string(),
  first_day: z.iso.date(),
  last_day: z.iso.date(),
});

/** Days that a billing period has charges of in a currency. */
export type BillingPeriod = z.output<typeof periodSchema>;

/** The billing periods of every currency, in order, with the days of their charges. */
export async function readBillingPeriods(database: BillQueries): Promise<readonly BillingPeriod[]> {
  const rows = await database.rows(
    `select BillingCurrency as currency, substr(BillingPeriodStart, 1, 7) as month,
       min(substr(ChargePeriodStart, 1, 10)) as first_day, max(substr(x_LastStart, 1, 10)) as last_day
     from bill
     group by BillingCurrency, substr(BillingPeriodStart, 1, 7) order by currency, month`,
  );
  return z.array(periodSchema).parse(rows);
}

/**
 * The one billing period that is looked at: the one that was named, or the only one of the bill.
 *
 * @throws {InputError} when the bill has several and none was named, or not the one that was
 */
export async function oneBillingMonth(
  database: BillQueries,
  source: string,
  month: string | undefined,
): Promise<string> {
  const months = await readBillingMonths(database);
  const [only, ...others] = months;
  const wanted = month ?? (others.length === 0 ? only : undefined);
  if (wanted !== undefined && months.includes(wanted)) return wanted;
  const message = `${source} has billing periods ${months.join(", ")}: name one`;
  throw new InputError("command line", [{ path: "--month", message }]);
}
