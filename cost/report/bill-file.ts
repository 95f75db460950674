import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, realpath, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { InputError } from "../../host-tuning/errors.ts";

/** A bill on disk that was read to its end once: hashed, and unpacked where it was packed. */
export interface BillFile {
  /** As the person gave it. */
  readonly source: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly format: "csv" | "csv.gz" | "parquet";
  /** The plain file to read: the given one, or the unpacked copy in `scratch`. */
  readonly readablePath: string;
  /** A folder that only this run uses, for the unpacked copy and for what DuckDB spills. */
  readonly scratch: string;
}

function wholeFileFault(source: string, message: string, cause?: unknown): InputError {
  return new InputError(source, [{ path: "", message }], cause === undefined ? undefined : { cause });
}

async function readEnds(handle: FileHandle, bytes: number): Promise<{ head: Buffer; tail: Buffer }> {
  const head = Buffer.alloc(4);
  const tail = Buffer.alloc(4);
  await handle.read(head, 0, 4, 0);
  await handle.read(tail, 0, 4, Math.max(bytes - 4, 0));
  return { head, tail };
}

/** Tells the format by the file's own bytes, not by its name. */
async function readFormat(source: string, bytes: number): Promise<BillFile["format"]> {
  const handle = await open(source);
  try {
    const { head, tail } = await readEnds(handle, bytes);
    if (head.toString("latin1") === "PAR1") {
      if (tail.toString("latin1") === "PAR1" && bytes >= 12) return "parquet";
      throw wholeFileFault(source, "is a Parquet file that ends too early: its footer is missing");
    }
    return head[0] === 0x1f && head[1] === 0x8b ? "csv.gz" : "csv";
  } finally {
    await handle.close();
  }
}

/**
 * Reads the file once to its end: its digest, and for gzip the plain text. DuckDB would read gzip itself, but it checks
 * neither the checksum nor that the stream is whole (a file cut short gave a smaller bill without a word), so it is
 * unpacked here where both are checked.
 */
async function readThrough(source: string, unpackTo: string | undefined): Promise<string> {
  const hash = createHash("sha256");
  const counted = new PassThrough();
  counted.on("data", (chunk: Buffer) => hash.update(chunk));
  if (unpackTo === undefined) await pipeline(createReadStream(source), counted);
  else {
    try {
      await pipeline(createReadStream(source), counted, createGunzip(), createWriteStream(unpackTo));
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : "not readable";
      throw wholeFileFault(source, `is gzip that is cut short or damaged: ${why}`, cause);
    }
  }
  return hash.digest("hex");
}

async function statBill(source: string): Promise<number> {
  let bytes: number;
  try {
    const stats = await stat(source);
    if (!stats.isFile()) throw wholeFileFault(source, "is no file; give one FOCUS file, CSV or Parquet");
    bytes = stats.size;
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "not readable";
    throw wholeFileFault(source, why === "ENOENT" ? "there is no such file" : `Cannot read: ${why}`, cause);
  }
  if (bytes === 0) throw wholeFileFault(source, "is empty");
  return bytes;
}

/**
 * Opens a bill for `use` and leaves nothing behind.
 *
 * @throws {InputError} when the file is missing, empty, cut short or damaged as far as its container can tell
 */
export async function withBillFile<T>(source: string, use: (file: BillFile) => Promise<T>): Promise<T> {
  const bytes = await statBill(source);
  const format = await readFormat(source, bytes);
  const scratch = await mkdtemp(path.join(await realpath(tmpdir()), "bedplate-cost-"));
  try {
    const unpacked = format === "csv.gz" ? path.join(scratch, "bill.csv") : undefined;
    const sha256 = await readThrough(source, unpacked);
    const readablePath = unpacked ?? (await realpath(source));
    return await use({ source, sha256, bytes, format, readablePath, scratch });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
