import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import {
  addDecimals,
  compareDecimals,
  type ExactDecimal,
  formatDecimal,
  negateDecimal,
  parseDecimal,
  subtractDecimals,
  ZERO,
} from "../money/exact-decimal.ts";
import type { Ledger, OwnersFile } from "../owners/owners-file.ts";
import type { ContractFile } from "../read-contract-file.ts";
import type { CostReport, CurrencyReport, ReportRow } from "../report/cost-report.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import {
  type CurrencyJournal,
  type Journal,
  type JournalChange,
  type JournalEntry,
  type JournalLine,
  type JournalPart,
  journalSchema,
} from "./journal.ts";

export interface JournalArgs {
  /** A bill of one billing period, split by cost center. */
  readonly report: CostReport;
  readonly month: string;
  readonly cost: "effective" | "billed";
  readonly owners: ContractFile<OwnersFile>;
  readonly ledger: Ledger;
  /** The journal that this one restates. */
  readonly previous: Journal | undefined;
}

/** What an account gets, debit above 0; lines of one place are added. */
interface Posting {
  readonly account: string;
  readonly costCenter: string | null;
  readonly part: JournalPart;
  readonly amount: ExactDecimal;
}

function lineOf({ account, costCenter, part, amount }: Posting, minorDigits: number): JournalLine {
  const zero = formatDecimal(ZERO, minorDigits);
  const size = formatDecimal(amount.units < 0n ? negateDecimal(amount) : amount, minorDigits);
  return amount.units < 0n
    ? { account, costCenter, part, debit: zero, credit: size }
    : { account, costCenter, part, debit: size, credit: zero };
}

/** Debit above 0, credit below. */
function signedAmount({ debit, credit }: JournalLine): ExactDecimal {
  return subtractDecimals(parseDecimal(debit), parseDecimal(credit));
}

/** A cost center as the owners file spells it; what only a tag of the bill says is no account of the ledger. */
function knownCostCenters({ data }: JournalArgs["owners"]): ReadonlyMap<string, string> {
  return new Map(
    data.teams.flatMap(({ costCenters }) =>
      costCenters.map(({ costCenter }) => [foldTagValue(costCenter), costCenter] as const),
    ),
  );
}

/** @throws {InputError} with every cost center of the bill that the owners file does not have */
function checkCostCenters({ report, owners }: JournalArgs, known: ReadonlyMap<string, string>): void {
  const strange = report.currencies.flatMap(({ rows }) =>
    rows.flatMap(({ bucket, owner }) =>
      bucket === "owner" && owner !== null && !known.has(foldTagValue(owner)) ? [owner] : [],
    ),
  );
  if (strange.length === 0) return;
  throw new InputError(
    owners.name,
    [...new Set(strange)].map((costCenter): Fault => ({
      path: "teams",
      message: `none has the cost center ${JSON.stringify(costCenter)}, which a tag of the bill names: nothing is posted to what the ledger may not have`,
    })),
  );
}

function costCenterOf(
  row: ReportRow,
  { centralCostCenter, costCenters }: Ledger,
  known: ReadonlyMap<string, string>,
): string {
  if (row.bucket === "owner") return known.get(foldTagValue(row.owner ?? "")) ?? centralCostCenter;
  return costCenters[row.bucket] ?? centralCostCenter;
}

/** What a month's bill posts: parts to their cost centers, what is borne in other months as prepaid, against the bill. */
function postingsOf(
  { rows, balance, currency }: CurrencyReport,
  { cost, ledger, owners }: JournalArgs,
  known: ReadonlyMap<string, string>,
): readonly Posting[] {
  const borne = rows.map((row): Posting => ({
    account: ledger.expenseAccount,
    costCenter: costCenterOf(row, ledger, known),
    part: row.bucket,
    amount: parseDecimal(cost === "effective" ? row.effectiveRounded : row.billedRounded),
  }));
  const bill = parseDecimal(balance.bill.billedRounded);
  const prepaid = subtractDecimals(bill, addDecimals(borne.map(({ amount }) => amount)));
  if (prepaid.units !== 0n && cost === "effective" && ledger.prepaidAccount === undefined) {
    const message = `${formatDecimal(prepaid, 2)} ${currency} is billed and not borne in this month (commitments paid upfront): name the account, or give --cost billed`;
    throw new InputError(owners.name, [{ path: "ledger.prepaidAccount", message }]);
  }
  const account = ledger.prepaidAccount;
  return [
    ...borne,
    ...(account === undefined || prepaid.units === 0n
      ? []
      : [{ account, costCenter: null, part: "prepaid" as const, amount: prepaid }]),
    { account: ledger.payableAccount, costCenter: null, part: "bill", amount: negateDecimal(bill) },
  ];
}

function placeOf({
  account,
  costCenter,
  part,
}: Pick<JournalLine, "account" | "costCenter" | "part">): string {
  return JSON.stringify([account, costCenter, part]);
}

/** One line for each account, cost center and part; none of nothing. */
function linesOf(postings: readonly Posting[], minorDigits: number): readonly JournalLine[] {
  return [...Map.groupBy(postings, placeOf).values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const amount = addDecimals(same.map((posting) => posting.amount));
    return amount.units === 0n ? [] : [lineOf({ ...first, amount }, minorDigits)];
  });
}

function sumOf(lines: readonly JournalLine[], side: "debit" | "credit"): string {
  const amounts = lines.map((line) => parseDecimal(line[side]));
  return formatDecimal(addDecimals(amounts), Math.max(0, ...amounts.map(({ scale }) => scale)));
}

function entryOf(entryId: string, lines: readonly JournalLine[], reverses: string | null): JournalEntry {
  return {
    entryId,
    type: reverses === null ? "posting" : "reversal",
    reverses,
    lines: [...lines],
    debits: sumOf(lines, "debit"),
    credits: sumOf(lines, "credit"),
  };
}

function changesOf(before: readonly JournalLine[], after: readonly JournalLine[]): JournalChange[] {
  const places = Map.groupBy([...before, ...after], placeOf);
  return [...places].flatMap(([place, [first]]) => {
    if (first === undefined) return [];
    const amountIn = (lines: readonly JournalLine[]): ExactDecimal =>
      addDecimals(lines.filter((line) => placeOf(line) === place).map(signedAmount));
    const [was, is] = [amountIn(before), amountIn(after)];
    const change = subtractDecimals(is, was);
    if (change.units === 0n) return [];
    const digits = Math.max(was.scale, is.scale);
    const { account, costCenter, part } = first;
    return [
      {
        account,
        costCenter,
        part,
        before: formatDecimal(was, digits),
        after: formatDecimal(is, digits),
        change: formatDecimal(change, digits),
      },
    ];
  });
}

/** What stands after, and what has to be booked to get there from what stood before. */
function currencyJournal(
  currency: string,
  lines: readonly JournalLine[],
  before: CurrencyJournal | undefined,
  { month, report }: JournalArgs,
): CurrencyJournal {
  const balance = report.currencies.find((one) => one.currency === currency)?.balance ?? null;
  const stood = before?.standing ?? null;
  if (isDeepStrictEqual(stood?.lines ?? [], lines)) {
    return {
      currency,
      standing: stood,
      entries: [],
      changes: [],
      lastNumber: before?.lastNumber ?? 0,
      balance,
    };
  }
  let lastNumber = before?.lastNumber ?? 0;
  const nextId = (): string => {
    lastNumber += 1;
    return `${month}-${currency}-${lastNumber}`;
  };
  const entries: JournalEntry[] = [];
  if (stood !== null) {
    const swapped = stood.lines.map((line) => ({ ...line, debit: line.credit, credit: line.debit }));
    entries.push(entryOf(nextId(), swapped, stood.entryId));
  }
  const posting = lines.length === 0 ? undefined : entryOf(nextId(), lines, null);
  if (posting !== undefined) entries.push(posting);
  return {
    currency,
    standing: posting === undefined ? null : { entryId: posting.entryId, lines: posting.lines },
    entries,
    changes: stood === null ? [] : changesOf(stood.lines, lines),
    lastNumber,
    balance,
  };
}

function lastDayOf(month: string): string {
  const [year = 0, number = 0] = month.split("-").map(Number);
  return new Date(Date.UTC(year, number, 0)).toISOString().slice(0, 10);
}

const saidSchema = journalSchema.omit({ digest: true });

/** Digest of all that a journal says, in the order of its contract. */
export function digestOf(journal: Omit<Journal, "digest">): string {
  return createHash("sha256")
    .update(JSON.stringify(saidSchema.parse(journal)))
    .digest("hex");
}

function notesOf({ report, previous }: JournalArgs, currencies: readonly CurrencyJournal[]): string[] {
  const isUnchanged = previous !== undefined && currencies.every(({ entries }) => entries.length === 0);
  return [
    ...(isUnchanged ? ["nothing has changed since the previous journal: there is nothing to book"] : []),
    ...report.notes,
  ];
}

/**
 * A month's bill as double entry. Debits are credits, to the cent: the credit is the billed total, the debits are the
 * balance sheet's parts and, for effective cost, what is billed now and borne in other months. A restatement takes the
 * previous posting back in full and posts anew. Pure.
 *
 * @throws {InputError} when the bill names cost centers that the owners file does not have, or an account is missing
 */
export function buildJournal(args: JournalArgs): Journal {
  const { report, month, cost, owners, previous } = args;
  const known = knownCostCenters(owners);
  checkCostCenters(args, known);
  const before = new Map(previous?.currencies.map((one) => [one.currency, one]));
  const after = new Map(
    report.currencies.map((one) => [one.currency, linesOf(postingsOf(one, args, known), one.minorDigits)]),
  );
  const currencies = [...new Set([...after.keys(), ...before.keys()])]
    .toSorted()
    .map((currency) => currencyJournal(currency, after.get(currency) ?? [], before.get(currency), args));
  const journal: Omit<Journal, "digest"> = {
    apiVersion: API_VERSION,
    kind: "ChargebackJournal",
    month,
    date: lastDayOf(month),
    cost,
    source: { name: report.source.name, sha256: report.source.sha256 },
    owners: { name: owners.name, sha256: owners.sha256 },
    allocation: report.allocation,
    supersedes: previous?.digest ?? null,
    currencies,
    notes: notesOf(args, currencies),
  };
  return { ...journal, digest: digestOf(journal) };
}

/**
 * What keeps a journal from being booked: a balance sheet that does not close, debits that are not the credits, a posting
 * that is not the bill or whose parts are not the balance sheet's. Empty when it can be.
 */
export function journalFaults({ currencies, cost }: Journal): readonly string[] {
  return currencies.flatMap(({ currency, standing, entries, balance }) => {
    const faults: string[] = [];
    if (balance?.balanced === false) faults.push(`${currency}: the balance sheet does not close`);
    for (const { entryId, lines, debits, credits } of entries) {
      const sum = addDecimals(lines.map(signedAmount));
      if (sum.units !== 0n || compareDecimals(parseDecimal(debits), parseDecimal(credits)) !== 0) {
        faults.push(`${entryId}: debits of ${debits} and credits of ${credits} are not the same`);
      }
    }
    if (balance === null) return faults;
    const key = cost === "effective" ? "effectiveRounded" : "billedRounded";
    const parts: readonly (readonly [JournalPart, string])[] = [
      ["owner", balance.owners[key]],
      ["shared", balance.shared[key]],
      ["idle", balance.idle[key]],
      ["unused-commitment", balance.unusedCommitment[key]],
      ["tax-and-credit", balance.taxAndCredit[key]],
      ["untagged", balance.untagged[key]],
      ["bill", formatDecimal(negateDecimal(parseDecimal(balance.bill.billedRounded)))],
    ];
    for (const [part, amount] of parts) {
      const posted = addDecimals(
        (standing?.lines ?? []).filter((line) => line.part === part).map(signedAmount),
      );
      if (compareDecimals(posted, parseDecimal(amount)) !== 0) {
        faults.push(
          `${currency}: ${formatDecimal(posted)} is posted as ${part}, the balance sheet has ${amount}`,
        );
      }
    }
    return faults;
  });
}
