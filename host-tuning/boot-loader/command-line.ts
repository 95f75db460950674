/**
 * A kernel command line, taken apart as the kernel does it (lib/cmdline.c next_arg): words between blanks, double quotes
 * keep blanks together, and "--" ends the kernel's part; what follows goes to init.
 */
export interface Argument {
  /** With `_` for `-`, which are the same to the kernel: "intel_iommu". */
  readonly name: string;
  /** Without its quotes; `undefined` for a word without "=". */
  readonly value: string | undefined;
  /** Where the word stands in the line, end exclusive. */
  readonly start: number;
  readonly end: number;
}

const WORD = /(?:"[^"]*"?|[^\s"])+/g;

export function parseCommandLine(line: string): readonly Argument[] {
  const found: Argument[] = [];
  for (const match of line.matchAll(WORD)) {
    const word = match[0];
    if (word === "--") break;
    const bare = /^"(.*?)"?$/s.exec(word)?.[1] ?? word;
    const sign = bare.indexOf("=");
    const name = sign < 0 ? bare : bare.slice(0, sign);
    const value = sign < 0 ? undefined : bare.slice(sign + 1).replace(/^"(.*?)"?$/s, "$1");
    found.push({
      name: name.replaceAll("-", "_"),
      value,
      start: match.index,
      end: match.index + word.length,
    });
  }
  return found;
}

/** Name of one argument, or "hugepages:1048576": the `hugepages=` that counts pages of this size in KiB. */
export type ArgumentName = string;

const SIZED = /^hugepages:(\d+)$/;

/**
 * The words of one argument, whole words only: "iommu" finds neither "intel_iommu=on" nor "iommu.strict=0".
 *
 * `hugepages=` counts pages of the `hugepagesz=` before it, so that one is told by its size and takes the two words
 * together; a `hugepages=` with no size before it counts pages of the default size and is never meant.
 */
export function argumentsNamed(line: readonly Argument[], name: ArgumentName): readonly Argument[] {
  const sizeKiB = SIZED.exec(name)?.[1];
  if (sizeKiB === undefined) return line.filter((argument) => argument.name === name.replaceAll("-", "_"));
  let isOfSize = false;
  return line.filter((argument) => {
    if (argument.name === "hugepagesz") isOfSize = parseSizeKiB(argument.value ?? "") === Number(sizeKiB);
    return isOfSize && (argument.name === "hugepagesz" || argument.name === "hugepages");
  });
}

/** @example "1G" is 1048576 */
export function parseSizeKiB(text: string): number | undefined {
  const match = /^(\d{1,9})([kmg])$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) return undefined;
  const factor = { k: 1, m: 1024, g: 1_048_576 }[match[2].toLowerCase()];
  return factor === undefined ? undefined : Number(match[1]) * factor;
}

/** The words as they stand in the line, quotes and all. */
export function wordsNamed(line: string, name: ArgumentName): string[] {
  return argumentsNamed(parseCommandLine(line), name).map(({ start, end }) => line.slice(start, end));
}

/**
 * Gives one argument these words; no words take it away. The first of its old words is where the new ones go, else the
 * end of the kernel's part. Every other byte stays.
 *
 * @example ("ro  isolcpus=1 quiet", "isolcpus", ["isolcpus=2-3"]) is "ro  isolcpus=2-3 quiet"
 */
export function withArgument(line: string, name: ArgumentName, words: readonly string[]): string {
  const all = parseCommandLine(line);
  const own = argumentsNamed(all, name);
  const text = words.join(" ");
  const [first, ...others] = own;
  if (first === undefined) return words.length === 0 ? line : insertAtEnd(line, all.at(-1)?.end ?? 0, text);
  let edited = line;
  for (const { start, end } of others.toReversed()) edited = without(edited, start, end);
  return words.length === 0
    ? without(edited, first.start, first.end)
    : edited.slice(0, first.start) + text + edited.slice(first.end);
}

function insertAtEnd(line: string, end: number, text: string): string {
  return end === 0
    ? `${text}${/^\S/.test(line) ? " " : ""}${line}`
    : `${line.slice(0, end)} ${text}${line.slice(end)}`;
}

/** Takes one blank with the word: the one before it, or the one after it at the start of the line. */
function without(line: string, start: number, end: number): string {
  if (start > 0 && /\s/.test(line.charAt(start - 1))) return line.slice(0, start - 1) + line.slice(end);
  return line.slice(0, start) + line.slice(end).replace(/^\s/, "");
}
