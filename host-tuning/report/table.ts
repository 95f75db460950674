/** Width that a page of text keeps to, so that it reads well in a narrow terminal and in a mail. */
export const PAGE_COLUMNS = 100;

const GAP = "  ";

const MIN_FIRST_COLUMNS = 12;

const MIN_LAST_COLUMNS = 20;

export interface Column {
  readonly title: string;
  /** Widest it may get; the last column takes what is left. */
  readonly maxColumns: number;
}

/** Gives a cell's text its colour; the row and column say which. */
export type Paint = (text: string, row: number, column: number) => string;

/**
 * Text from a host made fit for a terminal: control characters, which a device's name could hold to repaint the
 * screen, are shown as escapes.
 */
export function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it looks for
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (character) => {
    const code = character.codePointAt(0) ?? 0;
    return character === "\t" || character === "\n" ? " " : `\\x${code.toString(16).padStart(2, "0")}`;
  });
}

/** Breaks text into lines of at most `columns`, between words, and inside a word that is longer than a line. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text).split(" ")) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = "";
    }
    line = line === "" ? word : `${line} ${word}`;
    while (line.length > columns) {
      const cut = breakAt(line, columns);
      lines.push(line.slice(0, cut));
      line = line.slice(cut);
    }
  }
  lines.push(line);
  return lines;
}

/** Best place to break a long word: after a / . _ - or [ in its second half, as paths and knob ids have them. */
function breakAt(word: string, columns: number): number {
  for (let index = columns; index > columns / 2; index--) {
    if ("/._-[,".includes(word[index - 1] ?? "")) return index;
  }
  return columns;
}

export interface Row {
  readonly cells: readonly string[];
  /** Shown below the cells over the page's width, as reasons are sentences. */
  readonly note?: string;
}

const NOTE_INDENT = "    ";

/** Rows in columns, each as wide as its text needs; cells and notes that are longer are wrapped. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly Row[],
  paint: Paint = (text) => text,
): string {
  const widths = widthsOf(columns, rows);
  const header = columns.map((column) => column.title);
  const underline = columns.map((column, index) =>
    "-".repeat(Math.min(widths[index] ?? 0, column.title.length)),
  );
  const plain = (text: string): string => text;
  return [
    renderRow(header, widths, plain),
    renderRow(underline, widths, plain),
    ...rows.flatMap(({ cells, note }, index) => [
      renderRow(cells, widths, (text, column) => paint(text, index, column)),
      ...noteLines(note),
    ]),
  ].join("\n");
}

/** As wide as the text needs; what is over the page is taken from the first column, where the long names are. */
function widthsOf(columns: readonly Column[], rows: readonly Row[]): number[] {
  const widths = columns.map((column, index) => {
    const longest = Math.max(
      column.title.length,
      ...rows.map(({ cells }) => printable(cells[index] ?? "").length),
    );
    return Math.min(longest, column.maxColumns);
  });
  const last = Math.min(widths.at(-1) ?? 0, MIN_LAST_COLUMNS);
  const taken = widths.slice(0, -1).reduce((sum, width) => sum + width + GAP.length, 0);
  const over = Math.max(0, taken + last - PAGE_COLUMNS);
  widths[0] = Math.max(MIN_FIRST_COLUMNS, (widths[0] ?? 0) - over);
  widths[widths.length - 1] = Math.max(last, PAGE_COLUMNS - taken);
  return widths;
}

function noteLines(note: string | undefined): string[] {
  if (note === undefined || note === "") return [];
  return wrap(note, PAGE_COLUMNS - NOTE_INDENT.length).map((line) => NOTE_INDENT + line);
}

function renderRow(
  cells: readonly string[],
  widths: readonly number[],
  paint: (text: string, column: number) => string,
): string {
  const wrapped = widths.map((width, index) => wrap(cells[index] ?? "", width));
  const height = Math.max(...wrapped.map((lines) => lines.length));
  return Array.from({ length: height }, (_, line) =>
    widths
      .map((width, column) => {
        const text = wrapped[column]?.[line] ?? "";
        const padding = " ".repeat(column === widths.length - 1 ? 0 : width - text.length);
        return (text === "" ? "" : paint(text, column)) + padding;
      })
      .join(GAP)
      .trimEnd(),
  ).join("\n");
}

/** "3 disks", "1 disk". */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A value as a cell shows it: what there is not is a dash, and an empty one says so. */
export function valueCell(value: string | null): string {
  if (value === null) return "-";
  return value === "" ? "(empty)" : value;
}
