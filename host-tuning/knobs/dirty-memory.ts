import type { BlockDeviceFacts, HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import type { Desired, DesiredInput } from "./knob.ts";

/** What the kernel allows before writers have to wait: vm.dirty_ratio, 20 % of memory. */
const KERNEL_SHARE = 1 / 5;

/** Seconds of writing that may pile up before writers wait. Our choice: a stall of this length is the worst case. */
const BACKLOG_SECONDS: Readonly<Record<HostProfile["preset"], number>> = {
  latency: 1,
  balanced: 2,
  gpu: 2,
  throughput: 5,
};

const MIB = 1024 * 1024;

/** What such a disk writes at least, bytes a second. Our estimates; local NVMe is faster, a cloud volume often slower. */
function writeBytesPerSecond(disk: BlockDeviceFacts): number {
  if (disk.kind === "nvme" || disk.kind === "nvme-multipath") return 1000 * MIB;
  if (disk.kind === "scsi" && !disk.isRotational) return 400 * MIB;
  return disk.kind === "scsi" ? 100 * MIB : 250 * MIB;
}

const WRITTEN_KINDS: ReadonlySet<BlockDeviceFacts["kind"]> = new Set([
  "nvme",
  "nvme-multipath",
  "virtio",
  "scsi",
  "xen",
]);

type DirtyMemory =
  | { readonly kind: "bounded"; readonly bytes: number; readonly because: string }
  | { readonly kind: "unbounded"; readonly because: string };

/**
 * Unwritten data after which writers have to wait: what the slowest disk writes in 1 s (latency), 2 s (balanced, gpu) or
 * 5 s (throughput). Where the kernel's 20 % of memory is less than that already, nothing is to be done.
 *
 * @unit bytes
 * @example 256 GiB and NVMe, balanced: 20 % is 51 GiB, 52 s of writing; 2 s are 2 097 152 000 bytes
 */
function dirtyMemory(facts: HostFacts, profile: HostProfile): DirtyMemory {
  const disks = facts.blockDevices.filter(
    (disk) => WRITTEN_KINDS.has(disk.kind) && !disk.isReadOnly && disk.sizeBytes > 0,
  );
  const slowest = disks.toSorted((a, b) => writeBytesPerSecond(a) - writeBytesPerSecond(b))[0];
  if (slowest === undefined)
    return { kind: "unbounded", because: "no disk was found whose speed could bound unwritten data" };
  const perSecond = writeBytesPerSecond(slowest);
  const seconds = BACKLOG_SECONDS[profile.preset];
  const bytes = perSecond * seconds;
  const kernelBytes = Math.floor(facts.memory.totalBytes * KERNEL_SHARE);
  const speed = `${slowest.name} writes about ${perSecond / MIB} MiB a second`;
  if (kernelBytes <= bytes) {
    return {
      kind: "unbounded",
      because: `the kernel's 20 % of memory, ${kernelBytes} bytes, is within ${seconds} s of writing already (${speed})`,
    };
  }
  return {
    kind: "bounded",
    bytes,
    because: `preset ${profile.preset}: at most ${seconds} s of unwritten data (${speed}); 20 % of memory would be ${Math.round(kernelBytes / perSecond)} s`,
  };
}

/** The share of that limit as a knob's value. 0 on the host means that a ratio rules, which nobody chose by number. */
export function desiredDirtyBytes(input: DesiredInput<number>, shareOfLimit: number): Desired<number> {
  const { current, profile } = input;
  const dirty = dirtyMemory(input.facts, profile);
  if (dirty.kind === "unbounded") return leave(dirty.because);
  const bytes = Math.floor(dirty.bytes * shareOfLimit);
  const because =
    shareOfLimit === 1 ? dirty.because : `${shareOfLimit * 100} % of the limit; ${dirty.because}`;
  const isChosen = current !== 0 && current !== bytes;
  if (isChosen && !(current > bytes && profile.allowLowering))
    return leave(`host has ${current} bytes, which somebody chose, and ${bytes} would do: ${because}`);
  return setTo(bytes, because);
}
