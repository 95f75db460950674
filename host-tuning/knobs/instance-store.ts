import { createHash } from "node:crypto";
import type { BlockDeviceFacts, HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { type DeviceContent, readContent } from "./device-content.ts";
import type { Target } from "./knob.ts";
import { shareWhileUnderWay } from "./under-way.ts";

export const NO_INSTANCE_STORE =
  "the profile asks for no layout (nvme.layout), or no disk here is of a model that may be erased (nvme.models)";

/** Chunk of the array, and what the file system on it is aligned to. mdadm's own default. */
export const CHUNK_KIB = 512;

/**
 * Models that a cloud gives out empty and takes back with the instance, so that nothing on them was meant to stay.
 * "nvme_card" is also what other emulators say, so it counts on Google's machines alone.
 */
function isInstanceStore(device: BlockDeviceFacts, facts: HostFacts): boolean {
  const model = device.model ?? "";
  if (model === "Amazon EC2 NVMe Instance Storage") return true;
  if (/^Microsoft NVMe Direct Disk( v\d+)?$/.test(model)) return true;
  return facts.cloud.provider === "gcp" && /^nvme_card\d*$/.test(model);
}

/**
 * Disks of the layout, by name. The head of a multipath namespace may be another host's too, so that only an operator
 * who names its model takes it; a path of one is no device of its own.
 */
export function storeDisks(facts: HostFacts, profile: HostProfile): BlockDeviceFacts[] {
  if (profile.nvme.layout !== "raid0") return [];
  const { models } = profile.nvme;
  return facts.blockDevices
    .filter((device) => /^nvme\d+n\d+$/.test(device.name))
    .filter((device) =>
      models === undefined
        ? device.kind === "nvme" && isInstanceStore(device, facts)
        : models.includes(device.model ?? ""),
    )
    .toSorted((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
}

/** The disks as one target: nvme1n1+nvme2n1. */
export function storeTarget(disks: readonly BlockDeviceFacts[]): Target {
  return { name: disks.map(({ name }) => name).join("+") };
}

export function diskNames(target: Target): string[] {
  return target.name.split("+");
}

/**
 * The array's and the file system's identity, from the disks' own. So a run that was killed knows its own work again, a
 * unit file can name a file system before it is made, and other disks (a new instance after stop and start) are
 * another store. `undefined` where a disk has no name of its own.
 */
export function storeUuid(wwids: readonly (string | null | undefined)[], part: "array" | "filesystem") {
  if (wwids.length === 0 || wwids.some((wwid) => wwid === null || wwid === undefined)) return undefined;
  const hash = createHash("sha256")
    .update(["bedplate", part, ...wwids].join("\n"))
    .digest("hex");
  // Version 8 of RFC 9562: made by an application's own rule.
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    `8${hash.slice(17, 20)}`,
    hash.slice(20, 32),
  ].join("-");
}

/** mdadm writes the same 128 bits in four groups. */
export function mdadmUuid(uuid: string): string {
  return uuid.replaceAll("-", "").replaceAll(/(.{8})(?=.)/g, "$1:");
}

/** Where udev names the array, whatever number it has got: mdadm's rules do so on every distribution. */
export function arrayPath(uuid: string): string {
  return `/dev/disk/by-id/md-uuid-${mdadmUuid(uuid)}`;
}

/** What stands on the disks now. */
export type StoreState =
  /** Blank disks, nobody's. */
  | { readonly kind: "blank" }
  /** Members of our array, which is not running. */
  | { readonly kind: "apart" }
  /** Where the file system is or belongs. */
  | { readonly kind: "device"; readonly name: string; readonly isOurs: boolean }
  | { readonly kind: "refused"; readonly because: string };

/**
 * Looks at the disks themselves, as facts may be old by the time something is made of them. Anything that is not plainly
 * blank or ours is refused, by name.
 */
export async function readStore(host: Host, names: readonly string[]): Promise<StoreState> {
  return await shareWhileUnderWay(host, `store ${names.join(" ")}`, () => look(host, names));
}

async function look(host: Host, names: readonly string[]): Promise<StoreState> {
  const wwids = await Promise.all(names.map((name) => readWwid(host, name)));
  const arrayUuid = storeUuid(wwids, "array");
  const filesystemUuid = storeUuid(wwids, "filesystem");
  if (arrayUuid === undefined || filesystemUuid === undefined) {
    const nameless = names.filter((_, index) => wwids[index] === undefined);
    return { kind: "refused", because: `${nameless.join(", ")}: no wwid to know it by` };
  }
  const [only] = names;
  if (names.length === 1 && only !== undefined) return { kind: "device", name: only, isOurs: true };
  const array = await findArray(host, names);
  if (array !== undefined) {
    const ours = await host.realPath(arrayPath(arrayUuid));
    return { kind: "device", name: array, isOurs: ours === `/dev/${array}` };
  }
  const contents = await Promise.all(
    names.map(async (name) => ({ name, content: await readContent(host, name) })),
  );
  const isMember = (content: DeviceContent): boolean =>
    content.kind === "signature" && content.type === "linux_raid_member" && content.uuid === arrayUuid;
  const foreign = contents.filter(({ content }) => content.kind !== "blank" && !isMember(content));
  if (foreign.length > 0) {
    return {
      kind: "refused",
      because: foreign.map(({ name, content }) => `${name} ${describe(content)}`).join("; "),
    };
  }
  const members = contents.filter(({ content }) => isMember(content));
  if (members.length === names.length) return { kind: "apart" };
  // Killed while mdadm wrote its superblocks: some have it. What is on the others is nothing, as they are blank.
  return { kind: "blank" };
}

/** What a device's content means for somebody who wanted it empty. */
export function describe(content: DeviceContent): string {
  switch (content.kind) {
    case "blank":
      return "is blank";
    case "signature":
      return `holds ${content.type}${content.uuid === undefined ? "" : ` ${content.uuid}`}`;
    case "in-use":
    case "unclear":
      return content.because;
  }
  return content satisfies never;
}

async function readWwid(host: Host, name: string): Promise<string | undefined> {
  const text = (await host.readText(`/sys/block/${name}/wwid`))?.trim();
  return text === "" ? undefined : text;
}

/** A running RAID0 of exactly these disks, whoever made it. */
async function findArray(host: Host, names: readonly string[]): Promise<string | undefined> {
  const wanted = names.toSorted().join();
  for (const name of await host.list("/sys/block")) {
    if (!name.startsWith("md")) continue;
    if ((await host.list(`/sys/block/${name}/slaves`)).toSorted().join() !== wanted) continue;
    if ((await host.readText(`/sys/block/${name}/md/level`))?.trim() === "raid0") return name;
  }
  return undefined;
}
