import { readdir, stat } from "node:fs/promises";
import path from "node:path";
import { type Fault, InputError } from "../../host-tuning/errors.ts";

const IS_BILL = /\.(?:csv|csv\.gz|gz|parquet)$/i;

/** More files than a year of hourly deliveries; a folder with more was given by mistake. */
const MOST_FILES = 10_000;

/** A billing period's folder in an export: `BILLING_PERIOD=2026-07` (Data Exports), `20260701-20260801` (legacy). */
const PERIOD_FOLDER = /^(?:BILLING_PERIOD=\d{4}-\d{2}|\d{8}-\d{8})$/i;

/** A delivery's folder in a billing period's: Data Exports begins its name with the time that it was made. */
const DATED_DELIVERY = /^\d{4}-\d{2}-\d{2}T/;

export interface FoundFile {
  /** Its path, from where the person's begins. */
  readonly source: string;
  /** Where it lies on this machine. */
  readonly path: string;
}

export interface FoundBill {
  /** At least one, in the order of their names. */
  readonly files: readonly FoundFile[];
  readonly notes: readonly string[];
}

/**
 * The files of a bill: the file itself, or those in a folder and its folders, in the order of their names. A month that
 * was delivered several times, each in a folder of its own, counts once, by its latest delivery.
 *
 * @throws {InputError} when there is nothing to read, or when nothing says which of several deliveries is the latest
 */
export async function findBillFiles(source: string): Promise<FoundBill> {
  const stats = await stat(source).catch((cause: unknown) => {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "not readable";
    const message = code === "ENOENT" ? "there is no such file" : `Cannot read: ${code}`;
    throw new InputError(source, [{ path: "", message }], { cause });
  });
  if (!stats.isDirectory()) return { files: [{ source, path: source }], notes: [] };
  const entries = await readdir(source, { recursive: true, withFileTypes: true });
  const { kept, notes } = chooseBillFiles(
    source,
    entries
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(source, path.join(entry.parentPath, entry.name))),
  );
  return {
    files: kept.map((name) => path.join(source, name)).map((file) => ({ source: file, path: file })),
    notes,
  };
}

/** Names below a folder that are its bill, in their order, and what was left out. */
export interface ChosenNames {
  readonly kept: readonly string[];
  readonly notes: readonly string[];
}

/**
 * Which of the files below `source` are its bill, by their names alone: a folder's and a bucket's go by the same rules.
 *
 * @throws {InputError} as `findBillFiles`
 */
export function chooseBillFiles(source: string, below: readonly string[]): ChosenNames {
  const names = below.filter((name) => IS_BILL.test(name)).toSorted();
  if (names.length === 0 || names.length > MOST_FILES) {
    const message =
      names.length === 0
        ? "the folder has no file that ends in .csv, .csv.gz, .gz or .parquet"
        : `the folder has ${names.length} files, more than the ${MOST_FILES} of any bill`;
    throw new InputError(source, [{ path: "", message }]);
  }
  return latestDeliveries(source, names);
}

/** The billing period's folder and the delivery's in it, where a name lies in such folders. */
function deliveryOf(name: string): { period: string; delivery: string } | undefined {
  const parts = name.split(path.sep);
  const at = parts.findIndex((part) => PERIOD_FOLDER.test(part));
  const delivery = parts[at + 1];
  return at < 0 || delivery === undefined || at + 2 >= parts.length
    ? undefined
    : { period: parts.slice(0, at + 1).join("/"), delivery };
}

function latestDeliveries(source: string, names: readonly string[]): ChosenNames {
  const byPeriod = Map.groupBy(names, (name) => deliveryOf(name)?.period);
  const dropped = new Set<string>();
  const notes: string[] = [];
  const faults: Fault[] = [];
  for (const [period, inPeriod] of byPeriod) {
    if (period === undefined) continue;
    const deliveries = [...new Set(inPeriod.map((name) => deliveryOf(name)?.delivery ?? ""))].toSorted();
    const latest = deliveries.at(-1);
    if (latest === undefined || deliveries.length === 1) continue;
    if (!deliveries.every((delivery) => DATED_DELIVERY.test(delivery))) {
      faults.push({
        path: period,
        message: `has ${deliveries.length} deliveries (${deliveries.slice(0, 3).join(", ")}${deliveries.length > 3 ? ", ..." : ""}) and nothing says which is the latest: give that one's folder`,
      });
      continue;
    }
    for (const name of inPeriod) if (deliveryOf(name)?.delivery !== latest) dropped.add(name);
    notes.push(`${period} was delivered ${deliveries.length} times: counted once, as of ${latest}`);
  }
  if (faults.length > 0) throw new InputError(source, faults);
  return { kept: names.filter((name) => !dropped.has(name)), notes };
}
