import path from "node:path";
import * as z from "zod";
import { InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, sqlText, withBillDatabase } from "../report/bill-database.ts";
import { type Bill, billDigest, withBill } from "../report/bill-file.ts";
import { checkBill } from "../report/check-bill.ts";
import { openBill } from "../report/read-bill.ts";
import { oneBillingMonth, readTagKeys } from "../report/split-bill.ts";
import { spellingsOf } from "../report/tag-spelling.ts";
import { BILL_SIGNS, INSTANCE, signSql, VOLUME } from "./bill-signs.ts";

const decimalText = z.string().regex(/^-?\d+(\.\d+)?$/);
const timeText = z.string().regex(/^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}/);

const chargedSchema = z.object({
  currency: z.string(),
  resource: z.string(),
  account: z.string().nullable(),
  region: z.string().nullable(),
  team: z.string().nullable(),
  service: z.string().nullable(),
  environment: z.string().nullable(),
  /** What it is: a kind of BILL_SIGNS, `volume` or `instance`. */
  role: z.string(),
  /** Lines that say that it was used. */
  use_lines: z.coerce.number().int(),
  lines: z.coerce.number().int(),
  first: timeText,
  last: timeText,
  billed: decimalText,
  effective: decimalText,
});

/** A resource of the bill of a kind that may be unused, with all that it was charged. */
export type ChargedResource = z.output<typeof chargedSchema>;

export interface Charges {
  readonly source: { readonly name: string; readonly sha256: string };
  readonly month: string;
  /** Where the bill's usage begins and ends, `2026-07-31 23:00:00`. */
  readonly first: string;
  readonly last: string;
  readonly resources: readonly ChargedResource[];
}

function tagSql(key: string, tagKeys: readonly string[]): string {
  const values = spellingsOf(key, tagKeys).map(
    (spelling) => `nullif(trim(element_at(owner_tags, ${sqlText(spelling)})), '')`,
  );
  return `coalesce(${[...values, "cast(null as varchar)", "cast(null as varchar)"].join(", ")})`;
}

/** Every resource with charges that say what it is, and those charges. Pods' parts of an instance are its own. */
function chargesSql(month: string, tagKeys: readonly string[]): string {
  const roles = [
    ...BILL_SIGNS.map(({ kind, being }) => `when ${signSql(being)} then ${sqlText(kind)}`),
    `when ${signSql(INSTANCE)} then 'instance'`,
    `when ${signSql(VOLUME)} then 'volume'`,
  ];
  // A charge of 0 is the line that AWS writes for a use of 0.
  const uses = BILL_SIGNS.flatMap(({ use }) => (use === undefined ? [] : [`(${signSql(use)})`]));
  return `with line as (
    select
      *,
      cast(json_parse(Tags) as map(varchar, varchar)) as owner_tags,
      case ${roles.join(" ")} end as line_role,
      (${uses.join(" or ")})
        and (cast(EffectiveCost as DECIMAL(38,12)) <> 0 or cast(BilledCost as DECIMAL(38,12)) <> 0) as is_use
    from bill
    where substr(BillingPeriodStart, 1, 7) = ${sqlText(month)}
      and ResourceId is not null and x_SplitPart is null and ChargeCategory = 'Usage'
  )
  select
    BillingCurrency as currency,
    ResourceId as resource,
    max(SubAccountId) as account,
    max(RegionId) as region,
    max(${tagSql("team", tagKeys)}) as team,
    max(${tagSql("service", tagKeys)}) as service,
    max(${tagSql("environment", tagKeys)}) as environment,
    min(line_role) as role,
    count(*) filter (where is_use) as use_lines,
    count(line_role) as lines,
    cast(min(utc(ChargePeriodStart)) filter (where line_role is not null) as varchar) as first,
    cast(max(utc(ChargePeriodEnd)) filter (where line_role is not null) as varchar) as last,
    cast(sum(cast(BilledCost as DECIMAL(38,12))) filter (where line_role is not null) as varchar) as billed,
    cast(sum(cast(EffectiveCost as DECIMAL(38,12))) filter (where line_role is not null) as varchar) as effective
  from line
  group by BillingCurrency, ResourceId
  having min(line_role) is not null
  order by currency, resource`;
}

const spanSchema = z.array(z.object({ first: timeText.nullable(), last: timeText.nullable() })).length(1);

/**
 * Where a month's usage begins and ends. A month under way has fees that run to its end already, so lines of a day at most
 * say it, where there are some.
 */
function spanSql(month: string): string {
  const isShort = "utc(ChargePeriodEnd) <= utc(ChargePeriodStart) + interval '25' hour";
  const either = (pick: string): string =>
    `cast(coalesce(${pick} filter (where ${isShort}), ${pick}) as varchar)`;
  return `select ${either("min(utc(ChargePeriodStart))")} as first, ${either("max(utc(ChargePeriodEnd))")} as last
    from bill where substr(BillingPeriodStart, 1, 7) = ${sqlText(month)} and ChargeCategory = 'Usage'`;
}

async function readFrom(database: BillDatabase, bill: Bill, month: string | undefined): Promise<Charges> {
  const { kind } = await openBill(database, bill, ["ResourceId", "Tags"]);
  await checkBill(database, bill, kind);
  const wanted = await oneBillingMonth(database, bill.source, month);
  const tagKeys = (await readTagKeys(database)).map(({ spelling }) => spelling);
  const [span] = spanSchema.parse(await database.rows(spanSql(wanted)));
  if (span === undefined || span.first === null || span.last === null) {
    throw new InputError(bill.source, [{ path: "ChargeCategory", message: `no usage in ${wanted}` }]);
  }
  return {
    source: { name: path.basename(bill.source), sha256: billDigest(bill) },
    month: wanted,
    first: span.first,
    last: span.last,
    resources: z.array(chargedSchema).parse(await database.rows(chargesSql(wanted, tagKeys))),
  };
}

/**
 * Resources of a month of a bill that could be unused, by AWS's usage types and descriptions.
 *
 * @throws {InputError} when it is no sound bill or has several billing periods and none is named
 */
export async function readCharges(input: string, month: string | undefined): Promise<Charges> {
  return await withBill(input, (bill) =>
    withBillDatabase(bill, {}, (database) => readFrom(database, bill, month)),
  );
}
