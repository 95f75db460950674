import type { BlockDeviceFacts, HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import type { Desired, Target } from "./knob.ts";

/**
 * Kinds of disk with a request queue of their own to tune. Not among them: loop and ram disks (no device behind the
 * queue), md and dm (they pass requests on to their members, which are tuned), and what Bedplate has no figures for.
 */
const TUNED_KINDS: ReadonlySet<BlockDeviceFacts["kind"]> = new Set([
  "nvme",
  "nvme-multipath",
  "virtio",
  "scsi",
  "xen",
]);

/**
 * Kinds that pass requests on and have no request queue of their own. What the page cache goes by (read-ahead) is theirs
 * all the same, as file systems stand on them.
 */
const PASSING_ON_KINDS: ReadonlySet<BlockDeviceFacts["kind"]> = new Set(["nvme-multipath", "md", "dm"]);

/** A path of a multipath namespace, nvme0c1n1: it has the request queue, and no page cache ever sees it. */
const MULTIPATH_PATH = /^nvme\d+c\d+n\d+$/;

export const NO_DISK = "no NVMe, virtio, SCSI or Xen disk on this host";

/** Disks whose queues are tuned, by name. An empty optical drive or card reader (no sectors) is none. */
export function diskTargets(facts: HostFacts): Target[] {
  return targetsWhere(facts, (device) => TUNED_KINDS.has(device.kind));
}

/** Disks with a request queue: merging, completion, time limits and throttling happen there and nowhere above. */
export function requestQueueTargets(facts: HostFacts): Target[] {
  return targetsWhere(facts, (device) => TUNED_KINDS.has(device.kind) && !PASSING_ON_KINDS.has(device.kind));
}

/** Devices that the page cache reads from: disks, md arrays, device-mapper volumes, multipath heads and not their paths. */
export function pageCacheTargets(facts: HostFacts): Target[] {
  return targetsWhere(
    facts,
    (device) =>
      (TUNED_KINDS.has(device.kind) || PASSING_ON_KINDS.has(device.kind)) &&
      !MULTIPATH_PATH.test(device.name),
  );
}

/** The whole disk that a member is: itself, or the one that a partition (sda3, nvme0n1p2) is on. */
function wholeDisk(name: string, facts: HostFacts): BlockDeviceFacts | undefined {
  const disk = /^(nvme\d+n\d+|md\d+|loop\d+)p\d+$|^([a-z]+)\d+$/.exec(name);
  return facts.blockDevices.find(
    (device) => device.name === name || device.name === (disk?.[1] ?? disk?.[2]),
  );
}

/** The disks at the bottom of a device; itself where nothing is below. A cycle in a broken tree ends it. */
export function leavesOf(
  device: BlockDeviceFacts,
  facts: HostFacts,
  seen: ReadonlySet<string> = new Set(),
): BlockDeviceFacts[] {
  const below = device.members
    .flatMap((name) => wholeDisk(name, facts) ?? [])
    .filter((member) => !seen.has(member.name) && member.name !== device.name);
  const path = new Set([...seen, device.name]);
  return below.length === 0 ? [device] : below.flatMap((member) => leavesOf(member, facts, path));
}

function targetsWhere(facts: HostFacts, isWanted: (device: BlockDeviceFacts) => boolean): Target[] {
  return facts.blockDevices
    .filter((device) => isWanted(device) && device.sizeBytes > 0)
    .map((device) => ({ name: device.name }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** A disk that a cloud keeps on other machines: it is reached over a network and outlives the host. */
export function isNetworkDisk(device: BlockDeviceFacts): boolean {
  return /^(Amazon Elastic Block Store|nvme_card-pd|MSFT NVMe Accelerator.*)$/.test(device.model ?? "");
}

export function diskOf(facts: HostFacts, target: Target): BlockDeviceFacts | undefined {
  return facts.blockDevices.find((device) => device.name === target.name);
}

export function queuePath(target: Target, file: string): string {
  return `/sys/block/${target.name}/queue/${file}`;
}

/** Is the medium really a turning disk: hypervisors report virtual disks as rotational whatever is behind them. */
export function isTurningDisk(device: BlockDeviceFacts, facts: HostFacts): boolean {
  return device.kind === "scsi" && device.isRotational && facts.virtualization.kind === "none";
}

/** The I/O scheduler a disk should have. */
export function desiredScheduler(device: BlockDeviceFacts, facts: HostFacts): Desired<string> {
  if (device.kind === "nvme-multipath") {
    return leave("a multipath head only passes requests on; its paths have the scheduler");
  }
  const choice = schedulerByMedium(device, facts);
  const value = choice.schedulers.find((scheduler) => device.schedulers.includes(scheduler));
  if (value === undefined) {
    return leave(
      `${choice.schedulers.join(" or ")} is wanted (${choice.because}) and the kernel offers ${device.schedulers.join(", ") || "none to choose"} here`,
    );
  }
  return setTo(value, choice.because);
}

/** Schedulers in order of preference. */
function schedulerByMedium(
  device: BlockDeviceFacts,
  facts: HostFacts,
): { readonly schedulers: readonly string[]; readonly because: string } {
  if (device.kind === "nvme") {
    return { schedulers: ["none"], because: "NVMe has no seek to save and a hardware queue per CPU" };
  }
  if (device.kind !== "scsi" || facts.virtualization.kind !== "none") {
    return { schedulers: ["none"], because: "the hypervisor schedules the disk behind this virtual one" };
  }
  if (device.isRotational) {
    return {
      schedulers: ["mq-deadline", "bfq"],
      because: "a turning disk gains from requests in order of place",
    };
  }
  if (device.hardwareQueues > 1) {
    return { schedulers: ["none"], because: `flash behind ${device.hardwareQueues} hardware queues` };
  }
  return {
    schedulers: ["mq-deadline", "bfq"],
    because: "flash behind one hardware queue: reads must not wait behind a burst of writes",
  };
}

/** The scheduler that will be in force once the plan is applied: a person's override, what is desired, what is there. */
export function plannedScheduler(
  device: BlockDeviceFacts,
  facts: HostFacts,
  profile: HostProfile,
): string | undefined {
  const override = profile.overrides["queue/scheduler"];
  const inForce = device.scheduler ?? undefined;
  if (override !== undefined) return "value" in override ? String(override.value) : inForce;
  const desired = desiredScheduler(device, facts);
  return desired.kind === "set" ? desired.value : inForce;
}
