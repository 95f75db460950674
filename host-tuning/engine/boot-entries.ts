import {
  type EntryFile,
  type EntryLoader,
  commandLineOf,
  entryFilesAmong,
  withArgumentIn,
} from "../boot-loader/entry-files.ts";
import { type ArgumentName, wordsNamed } from "../boot-loader/command-line.ts";
import { TuningError } from "../errors.ts";
import type { BootEntriesWrite } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { EntriesOriginal } from "./journal-records.ts";

function readFiles(host: LiveHost, loader: EntryLoader): EntryFile[] {
  return entryFilesAmong(loader, {
    names: (path) => host.names(path),
    text: (path) => host.readBytes(path)?.toString("utf8"),
  });
}

/** The words that this argument has now, file by file. @throws {TuningError} HOST_READ when no entry is there */
export function captureEntries(
  host: LiveHost,
  loader: EntryLoader,
  argument: ArgumentName,
): EntriesOriginal["before"] {
  const files = readFiles(host, loader);
  if (files.length === 0) {
    throw new TuningError("HOST_READ", "/boot", `Cannot save the entries of ${loader}: none found`);
  }
  return files.map((file) => ({ path: file.path, words: wordsNamed(commandLineOf(file), argument) }));
}

/** Edits every file, each of them as a whole; stopped in between, the next run finds them at odds and goes on. */
export function writeEntries(host: LiveHost, { loader, argument, words }: BootEntriesWrite): void {
  for (const file of readFiles(host, loader)) setWords(host, file, argument, words);
}

/**
 * Puts this argument's old words back in every entry; one that has been made since gets those of the first, as it was
 * made from the others.
 *
 * @throws {TuningError} HOST_WRITE when the words read afterwards are others
 */
export function restoreEntries(
  host: LiveHost,
  { loader, argument, before }: EntriesOriginal,
): { readonly kind: "restored" | "already-there"; readonly because: string } {
  const oldWords = new Map(before.map(({ path, words }) => [path, words]));
  const wordsFor = (path: string): readonly string[] => oldWords.get(path) ?? before[0]?.words ?? [];
  let written = 0;
  for (const file of readFiles(host, loader)) {
    if (setWords(host, file, argument, wordsFor(file.path))) written += 1;
  }
  for (const file of readFiles(host, loader)) {
    const found = wordsNamed(commandLineOf(file), argument).join(" ");
    const wanted = wordsFor(file.path).join(" ");
    if (found !== wanted) {
      throw new TuningError(
        "HOST_WRITE",
        file.path,
        `Cannot put ${argument} in ${file.path} back to "${wanted}": file holds "${found}" after the write`,
      );
    }
  }
  return written === 0
    ? { kind: "already-there", because: `the entries of ${loader} have ${argument} as before` }
    : { kind: "restored", because: `${written} files of ${loader} have ${argument} as before, re-read` };
}

function setWords(
  host: LiveHost,
  file: EntryFile,
  argument: ArgumentName,
  words: readonly string[],
): boolean {
  const text = withArgumentIn(file, argument, words);
  if (text === file.text) return false;
  const attributes = host.attributesOf(file.path) ?? { mode: 0o644, uid: 0, gid: 0 };
  host.writeConfigBytes(file.path, Buffer.from(text, "utf8"), attributes);
  return true;
}
