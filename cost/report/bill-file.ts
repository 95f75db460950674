import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { type FileHandle, mkdtemp, open, realpath, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { isTableAddress } from "./in-place/table-address.ts";
import { findBillFiles, type FoundBill, type FoundFile } from "./find-bill-files.ts";

/** A file of a bill that was read to its end once: hashed, and unpacked where it was packed. */
export interface BillFile {
  /** Its path, from where the person's begins. */
  readonly source: string;
  readonly sha256: string;
  readonly bytes: number;
  readonly format: "csv" | "csv.gz" | "parquet";
  /** The plain file to read: the given one, or its unpacked copy. */
  readonly readablePath: string;
}

/** A bill: one file, or the files of a folder or of a prefix in a bucket. */
export interface Bill {
  /** As the person gave it. */
  readonly source: string;
  /** At least one, no two the same. */
  readonly files: readonly BillFile[];
  /** A folder that only this run uses, for unpacked copies and for what DuckDB spills. */
  readonly scratch: string;
  /** What was left out of a folder, and why. */
  readonly notes: readonly string[];
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
async function readFormat({ source, path }: FoundFile, bytes: number): Promise<BillFile["format"]> {
  const handle = await open(path);
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

const DIGEST_BUFFER_BYTES = 1024 * 1024;

/** One buffer for the whole file: a stream's chunks would pile up until they are collected. */
async function digestOf(plainPath: string): Promise<string> {
  const hash = createHash("sha256");
  const buffer = Buffer.alloc(DIGEST_BUFFER_BYTES);
  const handle = await open(plainPath);
  try {
    while (true) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return hash.digest("hex");
      hash.update(buffer.subarray(0, bytesRead));
    }
  } finally {
    await handle.close();
  }
}

/**
 * Reads the file once to its end: its digest, and for gzip the plain text. DuckDB would read gzip itself, but it checks
 * neither the checksum nor that the stream is whole (a file cut short gave a smaller bill without a word), so it is
 * unpacked here where both are checked.
 */
async function readThrough({ source, path }: FoundFile, unpackTo: string | undefined): Promise<string> {
  if (unpackTo === undefined) return await digestOf(path);
  const hash = createHash("sha256");
  const counted = new PassThrough();
  counted.on("data", (chunk: Buffer) => hash.update(chunk));
  try {
    await pipeline(createReadStream(path), counted, createGunzip(), createWriteStream(unpackTo));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "not readable";
    throw wholeFileFault(source, `is gzip that is cut short or damaged: ${why}`, cause);
  }
  return hash.digest("hex");
}

interface BillStats {
  readonly bytes: number;
  readonly changedAtMillis: number;
}

async function statBill({ source, path }: FoundFile): Promise<BillStats> {
  let stats: BillStats;
  try {
    const found = await stat(path);
    if (!found.isFile()) throw wholeFileFault(source, "is neither a file nor a folder");
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
async function literalPath(plainPath: string, link: string): Promise<string> {
  const resolved = await realpath(plainPath);
  if (!/[*?[\]{}]/.test(resolved)) return resolved;
  await symlink(resolved, link);
  return link;
}

async function readBillFile(found: FoundFile, bytes: number, scratchPath: string): Promise<BillFile> {
  const format = await readFormat(found, bytes);
  const unpacked = format === "csv.gz" ? `${scratchPath}.csv` : undefined;
  const sha256 = await readThrough(found, unpacked);
  const readablePath = unpacked ?? (await literalPath(found.path, scratchPath));
  return { source: found.source, sha256, bytes, format, readablePath };
}

/** Files that are not the same, byte for byte, as one before them. */
function withoutCopies(files: readonly BillFile[]): { kept: readonly BillFile[]; notes: readonly string[] } {
  const first = new Map<string, BillFile>();
  const notes: string[] = [];
  for (const file of files) {
    const same = first.get(file.sha256);
    if (same === undefined) first.set(file.sha256, file);
    else notes.push(`${file.source} is the same file as ${same.source}: counted once`);
  }
  return { kept: [...first.values()], notes };
}

/** The SDK that a bucket takes is loaded for a bucket alone. */
async function findBill(source: string): Promise<FoundBill> {
  if (isTableAddress(source)) {
    const message =
      "a table is read in place by cost report (not as FOCUS), showback, journal, variance and unit-cost; here it takes the bill's files";
    throw wholeFileFault(source.replace(/\/\/[^/@]*@/, "//"), message);
  }
  if (!source.startsWith("s3://")) return await findBillFiles(source);
  return await (await import("./fetch-s3-bill.ts")).fetchS3Bill(source);
}

/**
 * Opens a bill, a file, a folder or a prefix of a bucket, for `use`. Of what it unpacks it leaves nothing behind; what
 * it downloads stays in the cache.
 *
 * @throws {InputError} when a file is missing, empty, cut short or damaged as far as its container can tell, or when
 * it is still being written
 */
export async function withBill<T>(source: string, use: (bill: Bill) => Promise<T>): Promise<T> {
  const found = await findBill(source);
  const scratch = await mkdtemp(path.join(await realpath(tmpdir()), "bedplate-cost-"));
  try {
    const before = new Map<FoundFile, BillStats>();
    const files: BillFile[] = [];
    for (const [index, file] of found.files.entries()) {
      const stats = await statBill(file);
      before.set(file, stats);
      files.push(await readBillFile(file, stats.bytes, path.join(scratch, `bill-${index}`)));
    }
    const { kept, notes } = withoutCopies(files);
    const result = await use({ source, files: kept, scratch, notes: [...found.notes, ...notes] });
    for (const [file, stats] of before) await refuseIfChanged(file, stats);
    return result;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function refuseIfChanged(file: FoundFile, before: BillStats): Promise<void> {
  const after = await statBill(file);
  if (after.bytes !== before.bytes || after.changedAtMillis !== before.changedAtMillis) {
    throw wholeFileFault(file.source, "changed while it was read: give it once it is written");
  }
}

/** Of a file its digest; of several the digest of their digests, one in a line, in order. */
export function billDigest({ files }: Pick<Bill, "files">): string {
  const [first, ...others] = files;
  if (first !== undefined && others.length === 0) return first.sha256;
  return createHash("sha256")
    .update(files.map((file) => `${file.sha256}\n`).join(""))
    .digest("hex");
}

/** A file's name as its bill's reader knows it: below the folder that was given. */
export function nameInBill(bill: Bill, file: BillFile): string {
  return path.relative(bill.source, file.source) || path.basename(file.source);
}

/** A fault with the file that it is in, where a bill has several. */
export function inFile(bill: Bill, file: BillFile, fault: Fault): Fault {
  if (bill.source === file.source) return fault;
  return { ...fault, path: [nameInBill(bill, file), fault.path].filter((part) => part !== "").join(", ") };
}
