/** One member of an initrd. */
export interface CpioEntry {
  readonly path: string;
  /** File type and permissions: 0o40755 a folder, 0o100755 a program, 0o20600 a character device. */
  readonly mode: number;
  readonly data?: Uint8Array;
  readonly device?: { readonly major: number; readonly minor: number };
}

/**
 * An uncompressed "newc" cpio archive, the format the kernel unpacks as its first root. Written here because it is a
 * header and padding, device nodes need root with the cpio program, and equal input gives equal bytes.
 */
export function renderCpio(entries: readonly CpioEntry[]): Buffer {
  const parts: Buffer[] = [];
  const pad = (length: number): Buffer => Buffer.alloc((4 - (length % 4)) % 4);
  for (const [index, entry] of [...entries, { path: "TRAILER!!!", mode: 0 }].entries()) {
    const data = Buffer.from(entry.data ?? []);
    const name = Buffer.from(`${entry.path}\0`);
    const fields = [
      index + 1, // inode
      entry.mode,
      0, // uid
      0, // gid
      1, // links
      0, // mtime
      data.length,
      0, // device of the file itself
      0,
      entry.device?.major ?? 0,
      entry.device?.minor ?? 0,
      name.length,
      0, // checksum, unused in newc
    ];
    const header = Buffer.from(
      `070701${fields.map((field) => field.toString(16).toUpperCase().padStart(8, "0")).join("")}`,
    );
    parts.push(header, name, pad(header.length + name.length), data, pad(data.length));
  }
  return Buffer.concat(parts);
}
