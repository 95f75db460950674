import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, realpath, rm, stat, symlink } from "node:fs/promises";
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

interface BillStats {
  readonly bytes: number;
  readonly changedAtMillis: number;
}

async function statBill(source: string): Promise<BillStats> {
  let stats: BillStats;
  try {
    const found = await stat(source);
    if (!found.isFile()) throw wholeFileFault(source, "is no file; give one FOCUS file, CSV or Parquet");
    stats = { bytes: found.size, changedAtMillis: found.mtimeMs };
  } catch (cause) {
    if (cause instanceof InputError) throw cause;
    const why = cause instanceof Error && "code" in cause ? String(cause.code) : "not readable";
    throw wholeFileFault(source, why === "ENOENT" ? "there is no such file" : `Cannot read: ${why}`, cause);
  }
  if (stats.bytes === 0) throw wholeFileFault(source, "is empty");
  return stats;
}

/**
 * A path that DuckDB takes literally: in a name such as `bill[1].csv` it would see a pattern, so such a file is read
 * through a link in the scratch folder.
 */
async function literalPath(source: string, scratch: string): Promise<string> {
  const resolved = await realpath(source);
  if (!/[*?[\]{}]/.test(resolved)) return resolved;
  const link = path.join(scratch, "bill");
  await symlink(resolved, link);
  return link;
}

/**
 * Opens a bill for `use` and leaves nothing behind.
 *
 * @throws {InputError} when the file is missing, empty, cut short or damaged as far as its container can tell, or when
 * it is still being written
 */
export async function withBillFile<T>(source: string, use: (file: BillFile) => Promise<T>): Promise<T> {
  const before = await statBill(source);
  const format = await readFormat(source, before.bytes);
  const scratch = await mkdtemp(path.join(await realpath(tmpdir()), "bedplate-cost-"));
  try {
    const unpacked = format === "csv.gz" ? path.join(scratch, "bill.csv") : undefined;
    const sha256 = await readThrough(source, unpacked);
    const readablePath = unpacked ?? (await literalPath(source, scratch));
    const result = await use({ source, sha256, bytes: before.bytes, format, readablePath, scratch });
    const after = await statBill(source);
    if (after.bytes !== before.bytes || after.changedAtMillis !== before.changedAtMillis) {
      throw wholeFileFault(source, "changed while it was read: give it once it is written");
    }
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}
