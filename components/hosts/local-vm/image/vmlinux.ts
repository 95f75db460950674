import { gunzipSync, zstdDecompressSync } from "node:zlib";
import { execa } from "execa";

const MAGIC = {
  xz: Buffer.from("fd377a585a00", "hex"),
  gzip: Buffer.from("1f8b08", "hex"),
  zstd: Buffer.from("28b52ffd", "hex"),
  elf: Buffer.from("7f454c46", "hex"),
} as const;

const startsWith = (bytes: Buffer, magic: Buffer): boolean => bytes.subarray(0, magic.length).equals(magic);

/** A kernel or a module as it is packed in Debian (plain, gzip, xz, zstd) to plain bytes. */
export async function decompressKernelPart(bytes: Buffer): Promise<Buffer> {
  if (startsWith(bytes, MAGIC.gzip)) return gunzipSync(bytes);
  if (startsWith(bytes, MAGIC.zstd)) return zstdDecompressSync(bytes);
  if (startsWith(bytes, MAGIC.xz)) {
    const result = await execa("xz", ["--decompress", "--stdout", "--single-stream"], {
      input: bytes,
      encoding: "buffer",
      maxBuffer: 512 * 1024 * 1024,
      timeout: 120_000,
    });
    return Buffer.from(result.stdout);
  }
  return bytes;
}

/**
 * The kernel proper out of a bzImage, by the offsets of the x86 boot protocol (2.08 and newer). QEMU starts it by its
 * PVH entry: nothing to decompress in the guest, which takes seconds in software emulation.
 *
 * @see https://docs.kernel.org/arch/x86/boot.html#the-real-mode-kernel-header
 */
export async function extractVmlinux(bzImage: Buffer): Promise<Buffer> {
  if (bzImage.length < 0x264 || bzImage.toString("latin1", 0x202, 0x206) !== "HdrS") {
    throw new Error("Cannot read the kernel: no x86 boot header");
  }
  const setupSectors = bzImage.readUInt8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + bzImage.readUInt32LE(0x248);
  const length = bzImage.readUInt32LE(0x24c);
  const payload = bzImage.subarray(start, start + length);
  // The kernel's build appends the unpacked size in 4 bytes, except to gzip, which ends in it by itself.
  const packed = startsWith(payload, MAGIC.gzip) ? payload : payload.subarray(0, -4);
  const kernel = await decompressKernelPart(packed);
  if (!startsWith(kernel, MAGIC.elf)) {
    throw new Error(
      `Cannot read the kernel: payload is no ELF file but starts with ${kernel.toString("hex", 0, 6)}`,
    );
  }
  return kernel;
}
