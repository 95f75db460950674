import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  parseDecimal,
  ZERO,
} from "../money/exact-decimal.ts";
import type { Reason } from "../report/cost-report.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import type { AllocationRule, AllocationRules } from "./allocation-rules.ts";
import { addAmounts, move, type PlacedLine, splitAmounts } from "./placed-line.ts";

/** A line and what the bill's SQL says of the rules' conditions on its columns: a `1` or `0` for each rule. */
export interface MatchedLine {
  readonly line: PlacedLine;
  readonly matches: string;
}

export interface AllocationArgs {
  readonly lines: readonly MatchedLine[];
  readonly rules: AllocationRules;
  /** Owners that stand for everyone and whose cost stays where it is, as shared. */
  readonly sharedOwners: readonly string[];
  /** Digits after the point of every part. */
  readonly scale: number;
  /** An owner as the report shows it. */
  readonly shownOwner: (owner: string) => string;
}

export interface Allocated {
  readonly lines: readonly PlacedLine[];
  /** What could not be shared out, and why. */
  readonly notes: readonly string[];
}

/** Spreads what capacity reservations cost unused; asked for under `idle`, as it is idle cost. */
const RESERVATION_RULE: AllocationRule = {
  name: "idle reservations",
  cost: { reasons: ["unused-reservation"] },
  split: { by: "weighted" },
};

/** Usage and fees, which any rule may take; of the others a rule has to name the reason. */
const TAKEN_BY_COLUMNS: ReadonlySet<PlacedLine["bucket"]> = new Set(["owner", "untagged", "shared"]);

function fits({ cost }: AllocationRule, { bucket, owner, because }: PlacedLine): boolean {
  if (cost.reasons === undefined && !TAKEN_BY_COLUMNS.has(bucket)) return false;
  if (cost.reasons !== undefined && !cost.reasons.some((reason) => reason === because)) return false;
  if (cost.owners === undefined) return true;
  return bucket === "owner" && owner !== null && cost.owners.map(foldTagValue).includes(foldTagValue(owner));
}

/** A line, and the rule that shares it out. */
interface TakenLine {
  readonly line: PlacedLine;
  readonly rule: AllocationRule | undefined;
  /** The owner before the rule made it shared. */
  readonly directOwner: string | null;
}

function asShared(line: PlacedLine, owner: string | null, because: Reason): PlacedLine {
  return { ...line, bucket: "shared", owner, because };
}

/** What an owner has or gets becomes shared cost where a rule or `--shared` says that the owner stands for everyone. */
function take(
  { line, matches }: MatchedLine,
  rules: readonly AllocationRule[],
  sharedOwners: ReadonlySet<string>,
): TakenLine {
  const rule = rules.find((candidate, index) => matches[index] === "1" && fits(candidate, line));
  const directOwner = line.bucket === "owner" ? line.owner : null;
  if (rule?.cost.owners !== undefined) {
    return { line: asShared(line, line.owner, "shared-owner"), rule, directOwner };
  }
  if (rule !== undefined && (line.bucket === "owner" || line.bucket === "untagged")) {
    return { line: asShared(line, rule.name, "shared-rule"), rule, directOwner: null };
  }
  if (rule === undefined && directOwner !== null && sharedOwners.has(foldTagValue(directOwner))) {
    return { line: asShared(line, line.owner, "shared-owner"), rule, directOwner };
  }
  return { line, rule, directOwner };
}

/** Who gets what part of a pot. */
type Weights = ReadonlyMap<string, ExactDecimal>;

function groupKey(line: PlacedLine): string {
  return JSON.stringify([line.currency, line.month]);
}

/** Effective cost of one's own by currency and month, before anything is shared out; never below 0. */
function directCosts(taken: readonly TakenLine[]): ReadonlyMap<string, ReadonlyMap<string, ExactDecimal>> {
  const owned = taken.filter(({ directOwner }) => directOwner !== null);
  return new Map(
    [...Map.groupBy(owned, ({ line }) => groupKey(line))].map(([key, group]) => [
      key,
      new Map(
        [...Map.groupBy(group, ({ directOwner }) => directOwner ?? "")].map(([owner, same]) => {
          const sum = addDecimals(same.map(({ line }) => line.amounts.effective));
          return [owner, compareDecimals(sum, ZERO) < 0 ? ZERO : sum];
        }),
      ),
    ]),
  );
}

const ONE: ExactDecimal = { units: 1n, scale: 0 };

class Allocation {
  readonly #args: AllocationArgs;
  readonly #direct: ReadonlyMap<string, ReadonlyMap<string, ExactDecimal>>;
  readonly #takenOwners: ReadonlySet<string>;

  constructor(args: AllocationArgs, taken: readonly TakenLine[]) {
    this.#args = args;
    this.#direct = directCosts(taken);
    this.#takenOwners = new Set(
      [...args.rules.rules.flatMap((rule) => rule.cost.owners ?? []), ...args.sharedOwners].map(foldTagValue),
    );
  }

  /** Owners with cost of their own that no rule takes, by name, or those that the rule names. */
  #targets(among: readonly string[] | undefined, direct: Weights): readonly string[] {
    if (among !== undefined) return among.map(this.#args.shownOwner);
    return [...direct.keys()]
      .filter((owner) => !this.#takenOwners.has(foldTagValue(owner)))
      .toSorted((a, b) => (a < b ? -1 : 1));
  }

  weights(split: NonNullable<AllocationRule["split"]>, pot: PlacedLine): Weights {
    if (split.by === "fixed") return this.#named(split.percents);
    if (split.by === "metric") {
      const metric = this.#args.rules.metrics.find(({ name }) => name === split.metric);
      return this.#named(metric?.months?.[pot.month] ?? metric?.everyMonth ?? {});
    }
    const direct = this.#direct.get(groupKey(pot)) ?? new Map<string, ExactDecimal>();
    const weightOf = (owner: string): ExactDecimal =>
      split.by === "even" ? ONE : (direct.get(owner) ?? ZERO);
    return new Map(this.#targets(split.among, direct).map((owner) => [owner, weightOf(owner)]));
  }

  #named(quantities: Readonly<Record<string, string>>): Weights {
    return new Map(
      Object.entries(quantities).map(([owner, quantity]) => [
        this.#args.shownOwner(owner),
        parseDecimal(quantity),
      ]),
    );
  }
}

/** Lines of one pot that differ in nothing that the report shows, as one. */
function potsOf(lines: readonly PlacedLine[]): readonly PlacedLine[] {
  const groups = Map.groupBy(lines, (line) =>
    JSON.stringify([
      line.currency,
      line.month,
      line.bucket,
      line.owner,
      line.because,
      line.providerService,
      line.chargeCategory,
    ]),
  );
  return [...groups.values()].flatMap((group) => {
    const [first] = group;
    return first === undefined
      ? []
      : [{ ...first, day: null, amounts: addAmounts(group.map(({ amounts }) => amounts)) }];
  });
}

const WHY_NOT: Readonly<Record<NonNullable<AllocationRule["split"]>["by"], string>> = {
  even: "nobody to share it among",
  weighted: "nobody to share it among has cost above 0",
  fixed: "every percent is 0",
  metric: "the metric has no value above 0",
};

/**
 * Shares out what the rules take, one rule after the other. Each pot is split per currency and month, its parts adding
 * up to it to the last digit; what cannot be split stays where it is, and a note says so. Lines are only added, and what
 * is added adds up to 0: the bill's total is the same before and after, whatever the rules are.
 */
export function allocate(args: AllocationArgs): Allocated {
  const spreadsReservations = args.rules.idle.reservations === "spread";
  const rules = [...(spreadsReservations ? [RESERVATION_RULE] : []), ...args.rules.rules];
  const sharedOwners = new Set(args.sharedOwners.map(foldTagValue));
  const takeLine = ({ line, matches }: MatchedLine): TakenLine =>
    take({ line, matches: spreadsReservations ? `1${matches}` : matches }, rules, sharedOwners);
  let taken = args.lines.map(takeLine);
  const allocation = new Allocation(args, taken);
  const notes: string[] = [];
  for (const rule of rules) {
    const { split } = rule;
    if (split === undefined) continue;
    const pots = potsOf(taken.flatMap((one) => (one.rule === rule ? [one.line] : [])));
    const moved: PlacedLine[] = [];
    for (const pot of pots) {
      const weights = allocation.weights(split, pot);
      if (![...weights.values()].some((weight) => weight.units > 0n)) {
        notes.push(
          `rule "${rule.name}" shares out nothing of ${pot.month} in ${pot.currency}: ${WHY_NOT[split.by]}`,
        );
        continue;
      }
      const parts = splitAmounts(pot.amounts, [...weights.values()], args.scale);
      moved.push(
        ...[...weights.keys()].flatMap((owner, index) => {
          const amounts = parts[index];
          const to = { bucket: "owner", owner, because: null } as const;
          return amounts === undefined ? [] : move(pot, amounts, to, rule.name);
        }),
      );
    }
    // What an owner gets that a later rule takes goes on with that rule; a rule's own conditions on columns are done.
    const later = rules.indexOf(rule) + 1;
    const owned = `${"0".repeat(later)}${rules
      .slice(later)
      .map((next) => (isByOwnerOnly(next) ? "1" : "0"))
      .join("")}`;
    taken = [...taken, ...moved.map((line) => take({ line, matches: owned }, rules, sharedOwners))];
  }
  return { lines: taken.map(({ line }) => line), notes: [...new Set(notes)] };
}

function isByOwnerOnly({ cost }: AllocationRule): boolean {
  return cost.owners !== undefined && Object.keys(cost).length === 1;
}
