import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";

/** Text of a kernel file without the white space around it; `undefined` when this host does not have the file. */
export async function readWord(host: Host, path: string): Promise<string | undefined> {
  return (await host.readText(path))?.trim();
}

/**
 * A whole number that is never negative, as queue depths and page counts are.
 *
 * @throws {TuningError} HOST_PARSE when the file holds anything else
 */
export async function readCount(host: Host, path: string): Promise<number | undefined> {
  const word = await readWord(host, path);
  if (word === undefined) return undefined;
  if (!/^\d{1,15}$/.test(word)) {
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${word}", expected a count`);
  }
  return Number(word);
}

/**
 * The choice in force in a file that lists all and brackets one: "always [madvise] never" is "madvise". A lone word
 * is itself the choice: a multipath NVMe head shows "none", a captured tree holds what was last written.
 *
 * @returns `undefined` when the text names no choice or more than one
 */
export function parseChosen(text: string): string | undefined {
  const words = text.trim().split(/\s+/);
  const bracketed = words.filter((word) => /^\[[^[\]]+\]$/.test(word));
  if (bracketed.length === 1) return bracketed[0]?.slice(1, -1);
  const [only] = words;
  return words.length === 1 && only !== undefined && /^[^[\]]+$/.test(only) ? only : undefined;
}

/** @throws {TuningError} HOST_PARSE when the file names no choice */
export async function readChosen(host: Host, path: string): Promise<string | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  const chosen = parseChosen(text);
  if (chosen === undefined) {
    throw new TuningError(
      "HOST_PARSE",
      path,
      `Cannot read ${path}: holds "${text.trim()}", expected one choice in brackets`,
    );
  }
  return chosen;
}
