import { type FactReader, quote } from "./fact-reader.ts";
import type { BlockDeviceFacts } from "./host-facts.ts";
import { type PciDevice, pciAddressOf } from "./pci.ts";

/** Sizes in sysfs count sectors of 512 bytes, whatever the device's own block is. */
const SECTOR_BYTES = 512;

/** Larger than any device (1 EiB): a larger figure is a broken file. */
const MAX_SECTORS = 2 ** 51;

/**
 * What a block device is, by the kernel's name for it and, for NVMe, where it lies: the head of a multipath namespace
 * hangs from its subsystem and has no queue of its own, its paths are named nvme0c1n1.
 */
export function blockKind(name: string, devicePath: string): BlockDeviceFacts["kind"] {
  if (/^nvme\d+n\d+$/.test(name)) return devicePath.includes("/nvme-subsystem/") ? "nvme-multipath" : "nvme";
  if (/^nvme\d+c\d+n\d+$/.test(name)) return "nvme";
  if (/^vd[a-z]+$/.test(name)) return "virtio";
  if (/^sd[a-z]+$/.test(name)) return "scsi";
  if (/^xvd[a-z]+$/.test(name)) return "xen";
  if (/^md(\d+|_.+)$/.test(name)) return "md";
  if (/^dm-\d+$/.test(name)) return "dm";
  if (/^loop\d+$/.test(name)) return "loop";
  if (/^ram\d+$/.test(name)) return "ram";
  return "other";
}

/**
 * Parses queue/scheduler: "[none] mq-deadline kyber", the one in force in brackets. A device without a request queue
 * (md, an NVMe multipath head) says plain "none", takes a write of another name without a word and stays at none.
 *
 * @see https://docs.kernel.org/block/switching-sched.html
 */
export function parseScheduler(text: string): { scheduler: string | null; schedulers: string[] } | undefined {
  const words = text.trim().split(/\s+/);
  if (!words.every((word) => /^(\[[\w-]{1,32}\]|[\w-]{1,32})$/.test(word))) return undefined;
  const schedulers = words.map((word) => word.replaceAll(/[[\]]/g, ""));
  const inBrackets = words.findIndex((word) => word.startsWith("["));
  if (inBrackets !== -1) return { scheduler: schedulers[inBrackets] ?? null, schedulers };
  return { scheduler: schedulers.length === 1 ? (schedulers[0] ?? null) : null, schedulers };
}

/** A head's transport is that of its controllers, where they agree. */
async function readTransport(
  reader: FactReader,
  directory: string,
  kind: BlockDeviceFacts["kind"],
): Promise<string | null> {
  if (kind === "nvme") return (await reader.label(`${directory}/device/transport`)) ?? null;
  if (kind !== "nvme-multipath") return null;
  const controllers = (await reader.entries(`${directory}/device`)).filter((name) => /^nvme\d+$/.test(name));
  const transports = new Set(
    await Promise.all(controllers.map((name) => reader.label(`${directory}/device/${name}/transport`))),
  );
  const [only] = transports;
  return transports.size === 1 ? (only ?? null) : null;
}

async function readSizeBytes(reader: FactReader, directory: string): Promise<number> {
  const sectors = await reader.integer(`${directory}/size`);
  if (sectors === undefined) return 0;
  if (sectors >= 0 && sectors <= MAX_SECTORS) return sectors * SECTOR_BYTES;
  reader.note(`${directory}/size`, `Not a size: ${sectors} sectors`);
  return 0;
}

async function readScheduler(
  reader: FactReader,
  directory: string,
): Promise<{ scheduler: string | null; schedulers: string[] }> {
  const path = `${directory}/queue/scheduler`;
  const text = await reader.line(path);
  const parsed = text === undefined ? undefined : parseScheduler(text);
  if (text !== undefined && parsed === undefined)
    reader.note(path, `Not a list of schedulers: ${quote(text)}`);
  return parsed ?? { scheduler: null, schedulers: [] };
}

/** Who is built from a device: its own holders and those of its partitions. */
async function readHolders(reader: FactReader, directory: string, name: string): Promise<string[]> {
  const partitions = (await reader.entries(directory)).filter((entry) => entry.startsWith(name));
  const lists = await Promise.all(
    ["", ...partitions.map((partition) => `/${partition}`)].map((below) =>
      reader.entries(`${directory}${below}/holders`),
    ),
  );
  return [...new Set(lists.flat())].toSorted();
}

async function readDevice(
  reader: FactReader,
  directory: string,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<BlockDeviceFacts | undefined> {
  const name = directory.split("/").at(-1) ?? "";
  const devicePath = (await reader.realPath(directory)) ?? directory;
  const kind = blockKind(name, devicePath);
  const pciAddress = pciAddressOf(devicePath);
  const [model, sizeBytes, logicalBlockBytes, rotational, readOnly, scheduler, hardwareQueues, transport] =
    await Promise.all([
      reader.label(`${directory}/device/model`),
      readSizeBytes(reader, directory),
      reader.count(`${directory}/queue/logical_block_size`),
      reader.integer(`${directory}/queue/rotational`),
      reader.integer(`${directory}/ro`),
      readScheduler(reader, directory),
      reader.entries(`${directory}/mq`),
      readTransport(reader, directory, kind),
    ]);
  const [wwid, maxHwSectorsKiB, members, holders] = await Promise.all([
    reader.label(`${directory}/wwid`),
    reader.count(`${directory}/queue/max_hw_sectors_kb`),
    reader.entries(`${directory}/slaves`),
    readHolders(reader, directory, name),
  ]);
  if (sizeBytes === 0 && devicePath.includes("/virtual/block/")) return undefined;
  return {
    name,
    kind,
    model: model ?? null,
    sizeBytes,
    logicalBlockBytes: logicalBlockBytes ?? SECTOR_BYTES,
    isRotational: rotational === 1,
    isReadOnly: readOnly === 1,
    pciAddress,
    node: pciAddress === null ? null : (pciDevices.get(pciAddress)?.node ?? null),
    ...scheduler,
    hardwareQueues: hardwareQueues.filter((queue) => /^\d+$/.test(queue)).length,
    transport,
    wwid: wwid ?? null,
    maxHwSectorsKiB: maxHwSectorsKiB ?? null,
    members,
    holders,
  };
}

/**
 * Folders of whole devices, by name. /sys/block has no partitions; a captured tree may have filled only /sys/class/block,
 * where a partition is known by the file of that name.
 */
async function readDirectories(reader: FactReader): Promise<string[]> {
  const [block, byClass] = await Promise.all([
    reader.entries("/sys/block"),
    reader.entries("/sys/class/block"),
  ]);
  const known = new Set(block);
  const others = byClass.filter((name) => !known.has(name));
  const arePartitions = await Promise.all(
    others.map((name) => reader.exists(`/sys/class/block/${name}/partition`)),
  );
  const byName = new Map([
    ...block.map((name) => [name, `/sys/block/${name}`] as const),
    ...others
      .filter((_, index) => arePartitions[index] !== true)
      .map((name) => [name, `/sys/class/block/${name}`] as const),
  ]);
  return [...byName.keys()].toSorted().flatMap((name) => byName.get(name) ?? []);
}

/**
 * Reads the block devices of the host, whole devices and no partitions. Virtual ones of size 0 are left out: the kernel
 * makes loop and zram devices for nobody in particular.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-block
 */
export async function readBlockDevices(
  reader: FactReader,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<BlockDeviceFacts[]> {
  const directories = await readDirectories(reader);
  const devices = await Promise.all(
    directories.map((directory) => readDevice(reader, directory, pciDevices)),
  );
  return devices.filter((device) => device !== undefined);
}
