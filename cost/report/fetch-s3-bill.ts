import { createHash, randomUUID } from "node:crypto";
import { createWriteStream, type Stats } from "node:fs";
import { mkdir, readdir, rename, rm, stat } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GetObjectCommand, paginateListObjectsV2, S3Client, S3ServiceException } from "@aws-sdk/client-s3";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { watcher } from "../../host-tuning/verbs/watcher.ts";
import { chooseBillFiles, type FoundBill } from "./find-bill-files.ts";

/** Enough to fill a fast line with files of a few MB, and few enough for any account's limits. Our choice. */
const DOWNLOADS_AT_ONCE = 8;

/** A connection that breaks inside a file is tried again; what S3 refuses is not (the SDK repeats what is worth it). */
const ATTEMPTS = 3;

const CONNECT_LIMIT_MILLIS = 10_000;

/** How long a connection may say nothing. */
const SILENCE_LIMIT_MILLIS = 60_000;

/** Longer than any report reads: an older version of an object is nobody's any more, nor is a download that broke off. */
const LEFTOVER_MILLIS = 24 * 60 * 60 * 1000;

interface S3Address {
  readonly bucket: string;
  readonly key: string;
}

interface S3Object {
  readonly key: string;
  /** In its quotes, as S3 gives it: what it is compared by. */
  readonly etag: string;
  readonly bytes: number;
}

function parseS3Address(source: string): S3Address {
  const [, bucket, key = ""] = /^s3:\/\/([\w.-]{3,255})(?:\/(.*))?$/s.exec(source) ?? [];
  if (bucket !== undefined) return { bucket, key };
  throw new InputError(source, [{ path: "", message: "is no address as in s3://bucket/prefix/" }]);
}

/** Where downloads are kept between runs, one folder for each object: `$XDG_CACHE_HOME/bedplate/s3` without a setting. */
function cacheFolder(): string {
  const own = process.env["BEDPLATE_CACHE_DIR"];
  const users = process.env["XDG_CACHE_HOME"];
  // A relative XDG_CACHE_HOME is to be ignored: https://specifications.freedesktop.org/basedir-spec/latest/
  const root = users !== undefined && path.isAbsolute(users) ? users : path.join(homedir(), ".cache");
  return path.join(own === undefined ? path.join(root, "bedplate") : path.resolve(own), "s3");
}

function nameOf(...parts: readonly string[]): string {
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** A key is anything, `../../.ssh/authorized_keys` too: no part of it becomes part of a path. */
function cachedPath(bucket: string, object: S3Object): string {
  return path.join(cacheFolder(), nameOf(bucket, object.key), nameOf(object.etag, String(object.bytes)));
}

const REASONS: Readonly<Record<string, string>> = {
  NoSuchBucket: "there is no such bucket",
  NoSuchKey: "was there when the bucket was listed and is gone now: run it again",
  PreconditionFailed: "has changed since the bucket was listed: run it again",
  InvalidObjectState: "is archived: restore it first",
  CredentialsProviderError:
    "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};

/** @throws what is a defect of ours */
function reasonOf(error: unknown, permission: string): string {
  if (!(error instanceof Error) || error instanceof TypeError) throw error;
  if (error.name === "AccessDenied") return `access is denied: it takes ${permission}`;
  if (error.message === "Region is missing") return "no AWS region is set: set AWS_REGION";
  return REASONS[error.name] ?? `Cannot read: ${error.name}: ${error.message}`;
}

async function listObjects(
  client: S3Client,
  bucket: string,
  prefix: string,
  pageSize?: number,
): Promise<S3Object[]> {
  const objects: S3Object[] = [];
  const pages = paginateListObjectsV2(
    { client, ...(pageSize === undefined ? {} : { pageSize }) },
    { Bucket: bucket, Prefix: prefix },
  );
  for await (const { Contents } of pages) {
    for (const { Key: key, ETag: etag, Size: bytes } of Contents ?? []) {
      if (key === undefined || etag === undefined || bytes === undefined) {
        throw new InputError(`s3://${bucket}/${prefix}`, [
          { path: key ?? "", message: "is listed without its key, ETag or size: is this S3?" },
        ]);
      }
      objects.push({ key, etag, bytes });
    }
    if (pageSize === 1) break;
  }
  return objects;
}

/** Of keys that begin alike the shortest is listed first: so one key tells whether the address is an object's own. */
async function findObject(client: S3Client, { bucket, key }: S3Address): Promise<S3Object | undefined> {
  if (key === "" || key.endsWith("/")) return undefined;
  const [first] = await listObjects(client, bucket, key, 1);
  return first?.key === key ? first : undefined;
}

interface ListedBill {
  readonly objects: readonly S3Object[];
  readonly notes: readonly string[];
}

async function listBill(client: S3Client, source: string, address: S3Address): Promise<ListedBill> {
  const single = await findObject(client, address);
  if (single !== undefined) return { objects: [single], notes: [] };
  const prefix = address.key === "" || address.key.endsWith("/") ? address.key : `${address.key}/`;
  const listed = await listObjects(client, address.bucket, prefix);
  if (listed.length === 0)
    throw new InputError(source, [{ path: "", message: "no object lies there: check the prefix" }]);
  const byName = new Map(listed.map((object) => [object.key.slice(prefix.length), object]));
  const { kept, notes } = chooseBillFiles(source, [...byName.keys()]);
  return { objects: kept.flatMap((name) => byName.get(name) ?? []), notes };
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  return await stat(file).catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  });
}

async function isWhole(file: string, bytes: number): Promise<boolean> {
  const found = await statIfThere(file);
  return found?.isFile() === true && found.size === bytes;
}

/** A name in the cache is a whole object's: it is written beside it, compared with what S3 said, and then renamed. */
async function downloadOnce(
  client: S3Client,
  bucket: string,
  { key, etag, bytes }: S3Object,
  target: string,
  onBytes: (count: number) => void,
): Promise<void> {
  const part = `${target}.${randomUUID()}.part`;
  let received = 0;
  try {
    // The SDK asks for the checksum that S3 keeps, where it keeps one, and fails the stream that does not agree.
    const { Body, ContentLength } = await client.send(
      new GetObjectCommand({ Bucket: bucket, Key: key, IfMatch: etag }),
    );
    if (!(Body instanceof Readable)) throw new TypeError("the SDK gave no stream of Node's");
    Body.on("data", (chunk: Buffer) => {
      received += chunk.length;
      onBytes(chunk.length);
    });
    await pipeline(Body, createWriteStream(part, { flags: "wx", mode: 0o600, flush: true }));
    if (ContentLength !== bytes || !(await isWhole(part, bytes)))
      throw new Error(`${received} bytes came of the ${bytes} that were listed`);
    await rename(part, target);
  } catch (error) {
    onBytes(-received);
    throw error;
  } finally {
    await rm(part, { force: true });
  }
}

async function removeLeftovers(kept: string): Promise<void> {
  const folder = path.dirname(kept);
  for (const name of await readdir(folder)) {
    const file = path.join(folder, name);
    const found = await statIfThere(file);
    const isLeft = found !== undefined && found.mtimeMs < Date.now() - LEFTOVER_MILLIS;
    if (isLeft && file !== kept) await rm(file, { force: true });
  }
}

async function download(
  client: S3Client,
  bucket: string,
  object: S3Object,
  onBytes: (count: number) => void,
): Promise<string> {
  const target = cachedPath(bucket, object);
  if (await isWhole(target, object.bytes)) {
    onBytes(object.bytes);
    return target;
  }
  await mkdir(path.dirname(target), { recursive: true, mode: 0o700 });
  for (let attempt = 1; ; attempt += 1) {
    try {
      await downloadOnce(client, bucket, object, target, onBytes);
      break;
    } catch (error) {
      if (attempt === ATTEMPTS || error instanceof S3ServiceException) throw error;
    }
  }
  await removeLeftovers(target);
  return target;
}

/** @returns the objects' files, in their order; each object that cannot be had is a fault */
async function downloadAll(
  client: S3Client,
  bucket: string,
  objects: readonly S3Object[],
  faults: Fault[],
): Promise<readonly string[]> {
  const files: string[] = [];
  const { onProgress } = watcher({ root: "/" });
  const allBytes = objects.reduce((sum, object) => sum + object.bytes, 0);
  let bytesDone = 0;
  let filesDone = 0;
  const queue = objects.entries();
  const worker = async (): Promise<void> => {
    for (const [index, object] of queue) {
      const address = `s3://${bucket}/${object.key}`;
      try {
        files[index] = await download(client, bucket, object, (count) => {
          bytesDone += count;
          const megabytes = `${Math.round(bytesDone / 1e6)} of ${Math.round(allBytes / 1e6)} MB`;
          onProgress?.(filesDone, objects.length, `${address}: ${megabytes}`);
        });
        filesDone += 1;
      } catch (error) {
        const permission = "s3:GetObject, and kms:Decrypt where it is encrypted with a key";
        faults.push({ path: address, message: reasonOf(error, permission) });
      }
    }
  };
  await Promise.all(Array.from({ length: DOWNLOADS_AT_ONCE }, worker));
  return files;
}

/**
 * The bill at `s3://bucket/prefix/` or `s3://bucket/key`: its objects by the rules that a folder's files go by, each in
 * the cache, where an object stays until its ETag changes. Credentials, region and endpoint are those of the
 * environment, as the AWS command line takes them.
 *
 * @throws {InputError} with every object that cannot be had, and the reason
 */
export async function fetchS3Bill(source: string): Promise<FoundBill> {
  const address = parseS3Address(source);
  const { bucket } = address;
  const client = new S3Client({
    followRegionRedirects: true,
    // What is not AWS's own answers at its own name, and not at one for each bucket.
    forcePathStyle: (process.env["AWS_ENDPOINT_URL_S3"] ?? process.env["AWS_ENDPOINT_URL"]) !== undefined,
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MILLIS, socketTimeout: SILENCE_LIMIT_MILLIS },
  });
  try {
    const { objects, notes } = await listBill(client, source, address).catch((error: unknown) => {
      if (error instanceof InputError) throw error;
      const message = reasonOf(error, `s3:ListBucket on ${bucket}`);
      throw new InputError(source, [{ path: "", message }], { cause: error });
    });
    const faults: Fault[] = [];
    const files = await downloadAll(client, bucket, objects, faults);
    if (faults.length > 0) {
      throw new InputError(
        source,
        faults.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      );
    }
    return {
      files: objects.flatMap(({ key }, index) => {
        const file = files[index];
        return file === undefined ? [] : [{ source: `s3://${bucket}/${key}`, path: file }];
      }),
      notes,
    };
  } finally {
    client.destroy();
  }
}
