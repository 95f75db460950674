import type { Host, ToolResult } from "../sys/host.ts";

/** How much of a device has to be zero for it to count as blank; every format has its mark there or blkid knows it. */
const BLANK_BYTES = 1_048_576;

/** What a block device holds. `unclear` is never taken for blank. */
export type DeviceContent =
  | { readonly kind: "blank" }
  | { readonly kind: "signature"; readonly type: string; readonly uuid: string | undefined }
  | { readonly kind: "in-use"; readonly because: string }
  | { readonly kind: "unclear"; readonly because: string };

/**
 * What is on a device: in use by the kernel, a signature that blkid knows, or blank. Blank takes both that blkid
 * finds nothing and that the first MiB is zero, as a database on a raw device has no signature.
 */
export async function readContent(host: Host, name: string): Promise<DeviceContent> {
  const noted = await readUdevSignature(host, name);
  const use = await readUse(host, name);
  if (use !== undefined) return noted ?? { kind: "in-use", because: use };
  // udev's note proves that something is there, but not that nothing is.
  return noted ?? (await probe(host, name));
}

/** What udev noted when it last looked: readable by anybody, so that verify needs no right to open the device. */
async function readUdevSignature(host: Host, name: string): Promise<DeviceContent | undefined> {
  const number = (await host.readText(`/sys/block/${name}/dev`))?.trim();
  if (number === undefined || !/^\d+:\d+$/.test(number)) return undefined;
  const text = (await host.readText(`/run/udev/data/b${number}`)) ?? "";
  const type = /^E:ID_FS_TYPE=(.+)$/m.exec(text)?.[1];
  const uuid = /^E:ID_FS_UUID=(.+)$/m.exec(text)?.[1];
  if (type === undefined) return undefined;
  return { kind: "signature", type, uuid: uuid?.toLowerCase() };
}

/** Who has the device, as far as the kernel says. */
async function readUse(host: Host, name: string): Promise<string | undefined> {
  const folder = `/sys/block/${name}`;
  const partitions: string[] = [];
  for (const entry of await host.list(folder)) {
    if (entry.startsWith(name) && (await host.exists(`${folder}/${entry}/partition`))) partitions.push(entry);
  }
  if (partitions.length > 0) return `has partitions (${partitions.join(", ")})`;
  const holders = await host.list(`${folder}/holders`);
  if (holders.length > 0) return `is part of ${holders.join(", ")}`;
  if ((await host.readText(`${folder}/ro`))?.trim() === "1") return "is read-only";
  const number = (await host.readText(`${folder}/dev`))?.trim();
  if (number === undefined) return "has no device number";
  const mounts = ((await host.readText("/proc/self/mountinfo")) ?? "")
    .split("\n")
    .map((line) => line.split(" "));
  const mount = mounts.find((fields) => fields[2] === number);
  if (mount !== undefined) return `is mounted at ${mount[4] ?? "an unknown place"}`;
  const swaps = (await host.readText("/proc/swaps")) ?? "";
  return swaps.split("\n").some((line) => line.startsWith(`/dev/${name} `)) ? "is swap space" : undefined;
}

async function probe(host: Host, name: string): Promise<DeviceContent> {
  const device = `/dev/${name}`;
  const found = await host.runTool("blkid", ["--probe", "--output", "export", device]);
  if (found === undefined)
    return unclear("cannot be looked at: blkid is not installed, or this root is not the running host");
  if (found.exitCode === 0) return signatureIn(found);
  if (found.exitCode !== 2 || found.stderr.trim() !== "") {
    return unclear(`is unclear to blkid (exit code ${found.exitCode}): ${found.stderr.trim().slice(0, 120)}`);
  }
  const head = await host.runTool("od", ["--read-bytes", String(BLANK_BYTES), "--format=x1", device]);
  if (head?.exitCode !== 0)
    return unclear(`cannot be read: ${head?.stderr.trim().slice(0, 120) ?? "od is not installed"}`);
  return isZeroDump(head.stdout)
    ? { kind: "blank" }
    : unclear("has no signature but is not blank: its first MiB is not zero (blkdiscard or dd empties it)");
}

function unclear(because: string): DeviceContent {
  return { kind: "unclear", because };
}

function signatureIn({ stdout }: ToolResult): DeviceContent {
  const type = /^TYPE=(.+)$/m.exec(stdout)?.[1];
  const table = /^PTTYPE=(.+)$/m.exec(stdout)?.[1];
  const uuid = /^UUID=(.+)$/m.exec(stdout)?.[1];
  return {
    kind: "signature",
    type: type ?? `a partition table (${table ?? "unknown"})`,
    uuid: uuid?.toLowerCase(),
  };
}

/** od writes one line of zeros, a star for all that repeat it, and the end. */
export function isZeroDump(text: string): boolean {
  return text.trim() === `0000000${" 00".repeat(16)}\n*\n${BLANK_BYTES.toString(8).padStart(7, "0")}`;
}
