import { Decimal } from "decimal.js";
import * as z from "zod";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { type BillDatabase, sqlText, withBillDatabase } from "../report/bill-database.ts";
import { type Bill, withBill } from "../report/bill-file.ts";
import { checkBill } from "../report/check-bill.ts";
import { openBill } from "../report/read-bill.ts";
import { oneBillingMonth, readTagKeys } from "../report/split-bill.ts";
import { foldTagValue, spellingsOf } from "../report/tag-spelling.ts";
import { type Commitments, NO_COMMITMENTS } from "./commitments.ts";

const rowsSchema = z.array(
  z.object({
    commitment_id: z.string(),
    list: z.string().nullable(),
    effective: z.string(),
    hours: z.coerce.number(),
    unlisted: z.coerce.number(),
  }),
);

type CoveredUsage = z.output<typeof rowsSchema>[number];

/** What commitments covered of an environment's hosts, and over how many hours of the month. */
function coveredSql(month: string, spellings: readonly string[], environment: string): string {
  const values = spellings.map((spelling) => `lower(trim(element_at(owner_tags, ${sqlText(spelling)})))`);
  return `with line as (
    select *, cast(json_parse(Tags) as map(varchar, varchar)) as owner_tags
    from bill
    where substr(BillingPeriodStart, 1, 7) = ${sqlText(month)}
  )
  select
    CommitmentDiscountId as commitment_id,
    cast(sum(cast(ListCost as DECIMAL(38,12))) as varchar) as list,
    cast(sum(cast(EffectiveCost as DECIMAL(38,12))) as varchar) as effective,
    (select date_diff('hour', min(utc(ChargePeriodStart)), max(utc(ChargePeriodEnd))) from line where ChargeCategory = 'Usage') as hours,
    count(*) - count(ListCost) as unlisted
  from line
  where CommitmentDiscountStatus = 'Used'
    and ChargeCategory = 'Usage'
    and regexp_full_match(coalesce(ResourceId, ''), '(.*[:/])?i-[0-9a-f]+')
    and coalesce(${[...values, "cast(null as varchar)"].join(", ")}) = ${sqlText(foldTagValue(environment))}
  group by 1
  order by 1`;
}

/** As much a plan is worth: a commitment of the mean paid an hour, at the discount that its lines show. */
function asPlan({ list, effective, hours }: CoveredUsage): Commitments["savingsPlans"][number] {
  const discount = new Decimal(1).minus(new Decimal(effective).div(list ?? effective)).times(100);
  return {
    type: "compute",
    commitmentPerHour: new Decimal(effective).div(hours).toDecimalPlaces(12).toFixed(),
    discountPercent: Math.min(90, Math.max(0, discount.toNumber())),
  };
}

async function readCovered(
  database: BillDatabase,
  bill: Bill,
  month: string | undefined,
  environment: Environment,
): Promise<readonly CoveredUsage[]> {
  const { kind } = await openBill(database, bill, [
    "Tags",
    "CommitmentDiscountId",
    "CommitmentDiscountStatus",
  ]);
  await checkBill(database, bill, kind);
  const wanted = await oneBillingMonth(database, bill.source, month);
  const keys = (await readTagKeys(database)).map(({ spelling }) => spelling);
  const spellings = spellingsOf("environment", keys);
  return rowsSchema.parse(await database.rows(coveredSql(wanted, spellings, environment.name)));
}

/**
 * The commitments that covered an environment's hosts in a month of a bill, by the tag `environment`: what they are worth
 * goes on, whatever runs. Reservations and savings plans alike are taken as plans that fit any type, because a bill does
 * not say which reservation fits which; a reservation of one type is worth less after a change of type, so where there are
 * some, --commitments says it better.
 *
 * @throws {InputError} when it is no sound bill or covered lines lack a list cost, without which they have no worth
 */
export async function readBillCommitments(
  input: string,
  month: string | undefined,
  environment: Environment,
): Promise<Commitments> {
  const covered = await withBill(input, (bill) =>
    withBillDatabase(bill, {}, (database) => readCovered(database, bill, month, environment)),
  );
  const unlisted = covered.filter((usage) => usage.unlisted > 0);
  if (unlisted.length > 0) {
    throw new InputError(
      input,
      unlisted.map((usage) => ({
        path: "ListCost",
        message: `${usage.unlisted} lines that ${usage.commitment_id} covers have none: what it covers on demand is not known; type it in --commitments`,
      })),
    );
  }
  const worth = covered.filter(({ list, effective, hours }) => {
    return hours > 0 && Number(list ?? 0) > 0 && Number(effective) > 0;
  });
  return { ...NO_COMMITMENTS, savingsPlans: worth.map(asPlan) };
}
