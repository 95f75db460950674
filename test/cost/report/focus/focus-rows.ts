import { readRecords, unitsOf } from "../exact-csv-sum.ts";

/** A row of a FOCUS dataset in CSV, by column; no value is "". */
export type DatasetRow = Readonly<Record<string, string>>;

export function datasetRows(csv: string): readonly DatasetRow[] {
  const [header = [], ...records] = readRecords(csv);
  return records.map((record) =>
    Object.fromEntries(header.map((column, index) => [column, record[index] ?? ""])),
  );
}

/** In units of 10^-60; a row without a value adds nothing. */
export function columnSum(rows: readonly DatasetRow[], column: string): bigint {
  return rows.reduce((sum, row) => sum + (unitsOf(row[column] === "" ? "0" : (row[column] ?? "")) ?? 0n), 0n);
}

/** The rows as CSV again, under the columns of the first. */
export function datasetCsv(rows: readonly DatasetRow[]): string {
  const columns = Object.keys(rows[0] ?? {});
  const line = (values: readonly string[]): string =>
    `${values.map((value) => `"${value.replaceAll('"', '""')}"`).join(",")}\n`;
  return line(columns) + rows.map((row) => line(columns.map((column) => row[column] ?? ""))).join("");
}
