import path from "node:path";
import { type BillQueries, withBillDatabase } from "./bill-database.ts";
import { type Bill, billDigest, nameInBill, withBill } from "./bill-file.ts";
import { checkBill } from "./check-bill.ts";
import { condenseBill } from "./condense-bill.ts";
import type { CondenseNeeds } from "./condense-sql.ts";
import type { CostReport } from "./cost-report.ts";
import type { BillKind, ListColumn, ReadColumn } from "./focus-columns.ts";
import { isTableAddress } from "./in-place/table-address.ts";
import { openBill, type OpenBill } from "./read-bill.ts";

/** A bill that is open for queries and whose every row was found sound, in files or in a table in place. */
export interface SoundBill extends OpenBill {
  /** As the person gave it, without credentials. */
  readonly given: string;
  readonly queries: BillQueries;
  readonly source: CostReport["source"];
  /** Digits after the point that sums need to be exact. */
  readonly scale: number;
  readonly notes: readonly string[];
}

function sourceOf(bill: Bill, kind: BillKind, rowsOfFiles: readonly number[]): CostReport["source"] {
  const files = bill.files.map((file, index) => ({
    name: nameInBill(bill, file),
    sha256: file.sha256,
    bytes: file.bytes,
    format: file.format,
    lines: rowsOfFiles[index] ?? 0,
  }));
  return {
    name: path.basename(bill.source),
    sha256: billDigest(bill),
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    files,
    ...kind,
    lines: files.reduce((sum, file) => sum + file.lines, 0),
  };
}

function isDetailed({ hours, items, resources }: CondenseNeeds): boolean {
  return hours || resources || items.length > 0;
}

/** Which bill is opened, and what is asked of it. */
interface SoundBillArgs {
  readonly input: string;
  readonly needed: readonly ReadColumn[];
  readonly condense: CondenseNeeds;
  readonly listColumn?: ListColumn | undefined;
  /** The one month that is asked about, so that a table's other partitions are not read. */
  readonly month?: string | undefined;
  readonly threads?: number | undefined;
}

/**
 * Opens a bill for `use`: a file, a folder, a bucket, or a table of Trino or Athena.
 *
 * @throws {InputError} when it is no sound bill, with every fault
 */
export async function withSoundBill<T>(
  { input, needed, condense, listColumn, month, threads }: SoundBillArgs,
  use: (bill: SoundBill) => Promise<T>,
): Promise<T> {
  if (isTableAddress(input)) {
    const { withBillTable } = await import("./in-place/table-bill.ts");
    return await withBillTable(input, needed, { listColumn, month }, use);
  }
  return await withBill(input, (bill) =>
    withBillDatabase(bill, { threads, isDetailed: isDetailed(condense) }, async (database) => {
      const opened = await openBill(database, bill, needed, listColumn);
      const { rowsOfFiles, scale } =
        (await condenseBill(database, bill, opened.layouts, condense)) ??
        (await checkBill(database, bill, opened.kind));
      return await use({
        ...opened,
        given: bill.source,
        queries: database,
        source: sourceOf(bill, opened.kind, rowsOfFiles),
        scale,
        notes: bill.notes,
      });
    }),
  );
}
