import { PAGE_COLUMNS, wrap } from "../host-tuning/report/table.ts";
import type { Spread } from "./spread.ts";

/** "median (least-greatest)". */
export function spreadText({ median, min, max }: Spread): string {
  return `${numberText(median)} (${numberText(min)}-${numberText(max)})`;
}

/** Three digits: no more are measured. */
export function numberText(value: number): string {
  return value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);
}

/** A Markdown table whose columns line up as text; all but the first are right-aligned. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0))).join(" | ")} |`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : `${"-".repeat(width - 1)}:`,
  );
  return [line(header), line(rule), ...rows.map(line)];
}

export function paragraph(text: string): string[] {
  return wrap(text, PAGE_COLUMNS);
}

export function bullet(text: string): string[] {
  return wrap(text, PAGE_COLUMNS - 2).map((line, index) => `${index === 0 ? "-" : " "} ${line}`);
}
