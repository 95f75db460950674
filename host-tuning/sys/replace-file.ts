import { randomBytes } from "node:crypto";
import {
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fsyncSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";

/** Rights and owner of a file. */
export interface FileAttributes {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * Where a file's next content is written before it is renamed into place. The name is fixed, so that what a killed run
 * left behind is overwritten or found again, and no daemon that reads *.conf takes it for a configuration.
 */
export function stagingPath(machinePath: string): string {
  return join(dirname(machinePath), `.${basename(machinePath)}.bedplate-new`);
}

/** Writes all of `bytes`; a short write(2) is carried on. */
export function writeAll(descriptor: number, bytes: Uint8Array): void {
  let offset = 0;
  while (offset < bytes.length) offset += writeSync(descriptor, bytes, offset);
}

/** Makes names in a folder durable. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Puts `bytes` in the place of a file so that a reader, or a power cut, sees the old content or the new and nothing
 * between. The owner is set where we may (root); elsewhere the file is ours anyway.
 */
export function replaceFile(
  machinePath: string,
  bytes: Uint8Array,
  options: { readonly attributes: FileAttributes; readonly isDurable: boolean },
): void {
  const staging = stagingPath(machinePath);
  rmSync(staging, { force: true });
  const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  const descriptor = openSync(staging, flags, 0o600);
  try {
    writeAll(descriptor, bytes);
    if (process.getuid?.() === 0) fchownSync(descriptor, options.attributes.uid, options.attributes.gid);
    fchmodSync(descriptor, options.attributes.mode & 0o7777);
    if (options.isDurable) fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  renameSync(staging, machinePath);
  if (options.isDurable) syncFolder(dirname(machinePath));
}

/** A name no other process picks, beside `machinePath`. */
export function privatePath(machinePath: string): string {
  return `${machinePath}.${process.pid}.${randomBytes(4).toString("hex")}`;
}
