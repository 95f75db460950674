import { closeSync, constants, existsSync, fdatasyncSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { HOST_PATHS } from "../boot/paths.ts";
import { type Fault, TuningError } from "../errors.ts";
import { errnoText } from "../sys/errno.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { syncFolder, writeAll } from "../sys/replace-file.ts";
import { type JournalRecord, formatRecord, parseRecord } from "./journal-records.ts";

export const STATE_FOLDER = HOST_PATHS.stateFolder;
export const JOURNAL_PATH = `${STATE_FOLDER}/journal.jsonl`;

export interface JournalContent {
  readonly records: readonly JournalRecord[];
  /** Bytes up to the last whole line; what stands after it was torn by a crash and no write followed it. */
  readonly wholeBytes: number;
}

/**
 * Reads the journal. A last line without its end is what a crash leaves, and is dropped: its writes had not begun.
 *
 * @throws {TuningError} JOURNAL_CORRUPT with every broken line, when anything else is wrong
 */
export function readJournal(host: LiveHost): JournalContent {
  const bytes = host.readBytes(JOURNAL_PATH);
  if (bytes === undefined) return { records: [], wholeBytes: 0 };
  const wholeBytes = bytes.lastIndexOf(0x0a) + 1;
  const lines = bytes.subarray(0, wholeBytes).toString("utf8").split("\n").slice(0, -1);
  const faults: Fault[] = [];
  const records: JournalRecord[] = [];
  for (const [index, line] of lines.entries()) {
    const parsed = parseRecord(line, index + 1);
    if (Array.isArray(parsed)) faults.push(...parsed);
    else records.push(parsed);
  }
  if (faults.length > 0) throw corrupt(faults);
  return { records, wholeBytes };
}

function corrupt(faults: readonly Fault[]): TuningError {
  const lines = faults.map((fault) => `  ${fault.path}: ${fault.message}`).join("\n");
  return new TuningError(
    "JOURNAL_CORRUPT",
    JOURNAL_PATH,
    `Cannot read ${JOURNAL_PATH}: ${faults.length} ${faults.length === 1 ? "fault" : "faults"}, nothing was changed\n${lines}`,
  );
}

/** Appends records. Opened when the first record comes, so that a run with nothing to do leaves no trace. */
export class JournalWriter implements Disposable {
  readonly #host: LiveHost;
  readonly #wholeBytes: number;
  #descriptor: number | undefined;

  constructor(host: LiveHost, content: JournalContent) {
    this.#host = host;
    this.#wholeBytes = content.wholeBytes;
  }

  /** Appends in one write(2): after kill -9 the records are there. After a power cut they are once `sync` has returned. */
  append(records: readonly JournalRecord[]): void {
    if (records.length === 0) return;
    try {
      this.#descriptor ??= this.#open();
      writeAll(this.#descriptor, Buffer.from(records.map((record) => formatRecord(record)).join(""), "utf8"));
    } catch (cause) {
      throw journalError(cause);
    }
  }

  /** Makes every appended record durable. */
  sync(): void {
    if (this.#descriptor === undefined) return;
    try {
      fdatasyncSync(this.#descriptor);
    } catch (cause) {
      throw journalError(cause);
    }
  }

  [Symbol.dispose](): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #open(): number {
    const machinePath = this.#host.machinePath(JOURNAL_PATH);
    const isNew = !existsSync(machinePath);
    mkdirSync(dirname(machinePath), { recursive: true, mode: 0o755 });
    const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT | constants.O_NOFOLLOW;
    const descriptor = openSync(machinePath, flags, 0o600);
    if (isNew) {
      syncFolder(dirname(machinePath));
      syncFolder(dirname(dirname(machinePath)));
    } else {
      // A torn line must not run into the next record.
      ftruncateSync(descriptor, this.#wholeBytes);
    }
    return descriptor;
  }
}

function journalError(cause: unknown): TuningError {
  return new TuningError("HOST_WRITE", JOURNAL_PATH, `Cannot write ${JOURNAL_PATH}: ${errnoText(cause)}`, {
    cause,
  });
}
