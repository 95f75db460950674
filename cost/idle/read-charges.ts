import path from "node:path";
import * as z from "zod";
import { InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, sqlText, withBillDatabase } from "../report/bill-database.ts";
import { type Bill, billDigest, withBill } from "../report/bill-file.ts";
import { checkBill } from "../report/check-bill.ts";
import { openBill } from "../report/read-bill.ts";
import { oneBillingMonth, readTagKeys } from "../report/split-bill.ts";
import { spellingsOf } from "../report/tag-spelling.ts";
import { billTotalSchema, chargedSchema, type Charges, spanSchema } from "./charges.ts";
import { ROLES } from "./finders/index.ts";
import { type ChargedRole, signSql } from "./sign.ts";

function tagSql(key: string, tagKeys: readonly string[]): string {
  const values = spellingsOf(key, tagKeys).map(
    (spelling) => `nullif(trim(element_at(owner_tags, ${sqlText(spelling)})), '')`,
  );
  return `coalesce(${[...values, "cast(null as varchar)", "cast(null as varchar)"].join(", ")})`;
}

/** A charge that AWS writes for a use of 0 is of 0, and no use but where a free one counts. */
function useSql({ use, isUsedAtNoCost }: ChargedRole): string | undefined {
  if (use === undefined) return undefined;
  if (isUsedAtNoCost === true) return signSql(use);
  return `(${signSql(use)}) and (cast(EffectiveCost as DECIMAL(38,12)) <> 0 or cast(BilledCost as DECIMAL(38,12)) <> 0)`;
}

/** Every resource with charges that say what it is, with those charges. Pods' parts of an instance are its own. */
function chargesSql(month: string, tagKeys: readonly string[]): string {
  const uses = ROLES.flatMap((role) => {
    const sql = useSql(role);
    return sql === undefined ? [] : [`when ${sql} then ${sqlText(role.name)}`];
  });
  // What says that something is used says nothing of what is there: an hour of a database is none of an instance.
  const useSigns = ROLES.flatMap(({ use }) => (use === undefined ? [] : [`(${signSql(use)})`]));
  const roles = ROLES.map(({ name, being }) => `when ${signSql(being)} then ${sqlText(name)}`);
  const tag = (key: string): string => `max(${tagSql(key, tagKeys)}) filter (where is_of_month) as ${key}`;
  const sum = (column: string): string =>
    `cast(sum(cast(${column} as DECIMAL(38,12))) filter (where is_of_month) as varchar)`;
  return `with line as (
    select
      *,
      substr(BillingPeriodStart, 1, 7) = ${sqlText(month)} as is_of_month,
      utc(ChargePeriodStart) as starts_at,
      utc(ChargePeriodEnd) as ends_at,
      case ${uses.join(" ")} end as use_of,
      case when ${useSigns.join(" or ")} then null ${roles.join(" ")} end as line_role
    from bill
    where substr(BillingPeriodStart, 1, 7) <= ${sqlText(month)}
      and ResourceId is not null and x_SplitPart is null and ChargeCategory = 'Usage'
  ),
  use_period as (
    select BillingCurrency, ResourceId, use_of, starts_at, ends_at, bool_or(is_of_month) as is_of_month
    from line where use_of is not null group by 1, 2, 3, 4, 5
  ),
  used as (
    select
      BillingCurrency, ResourceId, use_of,
      count(*) filter (where is_of_month) as use_periods,
      coalesce(sum(date_diff('hour', starts_at, ends_at)) filter (where is_of_month), 0) as use_hours,
      max(ends_at) as last_use
    from use_period group by 1, 2, 3
  ),
  charged as (
    select
      BillingCurrency,
      ResourceId,
      line_role,
      max(SubAccountId) filter (where is_of_month) as account,
      max(RegionId) filter (where is_of_month) as region,
      ${["team", "service", "environment"].map(tag).join(", ")},
      count(*) filter (where is_of_month) as lines,
      min(starts_at) filter (where is_of_month) as first,
      max(ends_at) filter (where is_of_month) as last,
      ${sum("BilledCost")} as billed,
      ${sum("EffectiveCost")} as effective,
      min(starts_at) as seen
    from (select *, cast(json_parse(Tags) as map(varchar, varchar)) as owner_tags from line where line_role is not null)
    group by BillingCurrency, ResourceId, line_role
    having count(*) filter (where is_of_month) > 0
  )
  select
    c.BillingCurrency as currency, c.ResourceId as resource, account, region, team, service, environment,
    line_role as role, lines, billed, effective,
    cast(first as varchar) as first, cast(last as varchar) as last, cast(seen as varchar) as seen,
    coalesce(use_periods, 0) as use_periods, coalesce(use_hours, 0) as use_hours, cast(last_use as varchar) as last_use
  from charged c
  left join used u on u.BillingCurrency = c.BillingCurrency and u.ResourceId = c.ResourceId and u.use_of = c.line_role
  order by currency, resource, role`;
}

function totalsSql(month: string): string {
  const sum = (column: string): string => `cast(sum(cast(${column} as DECIMAL(38,12))) as varchar)`;
  return `select BillingCurrency as currency, ${sum("BilledCost")} as billed, ${sum("EffectiveCost")} as effective
    from bill where substr(BillingPeriodStart, 1, 7) = ${sqlText(month)} group by 1 order by 1`;
}

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
    bill: z.array(billTotalSchema).parse(await database.rows(totalsSql(wanted))),
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
