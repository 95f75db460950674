import { sqlText } from "./bill-database.ts";
import {
  type AmountRole,
  isAmount,
  isSplitGroup,
  type Part,
  SPLIT,
  type TypedColumn,
  type TypedColumns,
} from "./condense-roles.ts";
import { DOUBLE_DIGITS } from "./read-bill.ts";

/**
 * Which lines a pass over the bill adds up. Plain ones, nearly all, have amounts that a decimal of 15 digits holds and
 * are added as such; the others are added by their text, in a second pass where there are any.
 */
export type Pass = "plain" | "other";

/** Which groups are made: of all lines, or of the lines of pods by the node that they ran on and without their tags. */
export type Grouping = "lines" | "pods";

/**
 * What a plain line's double is read as: ten digits after the point, as providers write, and 15 in all. No two decimals
 * of at most 15 digits share a double, so one whose double is the amount is what the amount's shortest text says.
 */
const PLAIN = "decimal(15, 10)";

/** What a group's sum is. */
const EXACT = `decimal(38, ${DOUBLE_DIGITS})`;

/** Lines whose amounts mean something of their own, a pod's first. */
export const PART_KINDS: readonly string[] = [
  SPLIT,
  "DiscountedUsage",
  "RIFee",
  "SavingsPlanCoveredUsage",
  "SavingsPlanRecurringFee",
];

/** Something of a line that is added up: an amount, or the amounts of which any line has only one. */
export interface Addend {
  readonly name: string;
  readonly sql: string;
  readonly isDouble: boolean;
}

function addendOf({ name, source, isDouble }: TypedColumn<AmountRole>): Addend {
  return { name, sql: source, isDouble };
}

function partName(place: Part["place"]): string {
  return `part_${place}`;
}

/** What is added up of a line, where the parts of one place share a sum, each line's by what the line is. */
function sharedAddends(amounts: readonly TypedColumn<AmountRole>[]): readonly Addend[] {
  const whole = amounts.filter(({ role }) => role.part === undefined).map(addendOf);
  const places = Map.groupBy(
    amounts.filter(({ role }) => role.part !== undefined),
    ({ role }) => role.part?.place ?? 1,
  );
  const parts = [...places].map(([place, same]): Addend => {
    const branches = same.map(
      ({ role, source }) => `when line_kind = ${PART_KINDS.indexOf(role.part?.of ?? "") + 1} then ${source}`,
    );
    return { name: partName(place), sql: `case ${branches.join(" ")} end`, isDouble: true };
  });
  return [...whole, ...parts];
}

/** What is added up of the lines of a grouping; of pods only what they took of their instances. */
export function addendsOf(grouping: Grouping, pass: Pass, columns: TypedColumns): readonly Addend[] {
  const amounts = columns.found.filter(isAmount);
  if (grouping === "pods") return amounts.filter(({ role }) => role.part?.of === SPLIT).map(addendOf);
  const canShare = amounts.every(({ role, isDouble }) => role.part === undefined || isDouble);
  return pass === "plain" && canShare ? sharedAddends(amounts) : amounts.map(addendOf);
}

function plainName(name: string): string {
  return `${name}_plain`;
}

/** A double as the decimal that is added of a plain line. */
export function plainSql({ name }: Addend): string {
  return `try_cast(${name} as ${PLAIN}) as ${plainName(name)}`;
}

/** Whether a double is the decimal that is added of a plain line, or has no value. */
export function isSure({ name }: Addend): string {
  return `coalesce(cast(${plainName(name)} as double) = ${name}, ${name} is null)`;
}

/** The sum of an addend, exact, with no value where no line has one. */
function sumSql({ name, isDouble }: Addend, pass: Pass): string {
  if (!isDouble) return `sum(${name})`;
  if (pass === "plain") return `cast(sum(${plainName(name)}) as ${EXACT})`;
  return `sum(case when isfinite(${name}) then cast(cast(${name} as varchar) as ${EXACT}) end)`;
}

/** An amount of a group, out of the sum that it shares with others. */
export function amountOfGroup(
  { name, role }: TypedColumn<AmountRole>,
  addends: readonly Addend[],
  pass: Pass,
  columns: TypedColumns,
): string {
  const own = addends.find((addend) => addend.name === name);
  if (own !== undefined) return `${sumSql(own, pass)} as ${name}`;
  const place = partName(role.part?.place ?? 1);
  const shared = addends.find((addend) => addend.name === place);
  if (shared === undefined) return `cast(null as ${EXACT}) as ${name}`;
  const isIts =
    role.part?.of === SPLIT
      ? isSplitGroup(columns)
      : `not ${isSplitGroup(columns)} and line_item_line_item_type = ${sqlText(role.part?.of ?? "")}`;
  return `case when ${isIts} then ${sumSql(shared, pass)} end as ${name}`;
}

/** Amounts that mean something else where they are the same. */
const COMPARED = [
  ["BilledCost", "EffectiveCost"],
  ["part_1", "part_2"],
  ["savings_plan_total_commitment_to_date", "savings_plan_used_commitment"],
] as const;

/** Lines of other signs, or whose amounts are 0 where others' are not, are not alike: the report counts them apart. */
export function signKeys(
  addends: readonly Addend[],
): readonly { readonly name: string; readonly sql: string }[] {
  const names = new Set(addends.map(({ name }) => name));
  const compared = COMPARED.filter((pair) => pair.every((name) => names.has(name)));
  return [
    ...addends.map(({ name }) => ({ name: `${name}_sign`, sql: `sign(${name})` })),
    ...compared.map(([a, b]) => ({ name: `${a}_differs`, sql: `${a} <> ${b}` })),
  ];
}
