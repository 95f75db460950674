import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import type { BlockDeviceFacts } from "../../../host-tuning/facts/host-facts.ts";
import { isZeroDump } from "../../../host-tuning/knobs/device-content.ts";
import { arrayPath, readStore, storeDisks, storeUuid } from "../../../host-tuning/knobs/instance-store.ts";
import type { AnyKnob, ToolWrite } from "../../../host-tuning/knobs/knob.ts";
import { nvmeArray } from "../../../host-tuning/knobs/nvme-array.ts";
import { nvmeFilesystem } from "../../../host-tuning/knobs/nvme-filesystem.ts";
import { escapePath, nvmeMount } from "../../../host-tuning/knobs/nvme-mount.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import type { ToolResult } from "../../../host-tuning/sys/host.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleDisk, sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot, type HostTree } from "../../helpers/host-root.ts";
import { engineOn } from "../engine/engine.ts";

const MODEL = "Amazon EC2 NVMe Instance Storage";
const NVME: HostProfileInput["nvme"] = { layout: "raid0", mountPath: "/mnt/fast" };
const CONSENT = ["irreversible", "data-loss"] as const;

function storeDisk(name: string, more: Partial<BlockDeviceFacts> = {}): BlockDeviceFacts {
  return sampleDisk({ name, model: MODEL, ...more });
}

const DISKS = [storeDisk("nvme1n1"), storeDisk("nvme2n1")];
const NAMES = DISKS.map(({ name }) => name);
const WWIDS = DISKS.map(({ wwid }) => wwid);
const TARGET = { name: "nvme1n1+nvme2n1" };
const ARRAY = storeUuid(WWIDS, "array") ?? "";
const FILESYSTEM = storeUuid(WWIDS, "filesystem") ?? "";
const ZEROS = `0000000${" 00".repeat(16)}\n*\n4000000\n`;

/** Blank disks as sysfs shows them. */
function diskTree(disks = DISKS): HostTree {
  return Object.fromEntries(
    disks.flatMap(({ name, wwid }, index) => [
      [`/sys/block/${name}/dev`, `259:${index}\n`],
      [`/sys/block/${name}/ro`, "0\n"],
      [`/sys/block/${name}/wwid`, `${wwid}\n`],
    ]),
  );
}

/** blkid and od as they answer for blank disks, unless `answers` has something else for "tool device". */
function toolsWith(answers: Readonly<Record<string, Partial<ToolResult> | undefined>> = {}) {
  return (tool: string, args: readonly string[]): Promise<ToolResult | undefined> => {
    const key = `${tool} ${args.at(-1) ?? ""}`;
    const blank: ToolResult = { exitCode: 0, stdout: tool === "od" ? ZEROS : "", stderr: "" };
    const answer = key in answers ? answers[key] : tool === "blkid" ? { exitCode: 2 } : {};
    return Promise.resolve(answer === undefined ? undefined : { ...blank, ...answer });
  };
}

async function stateOf(tree: HostTree, answers: Parameters<typeof toolsWith>[0] = {}) {
  await using root = await createHostRoot({ ...diskTree(), ...tree });
  return await readStore(Object.assign(openHost(root.root), { runTool: toolsWith(answers) }), NAMES);
}

describe("storeDisks()", () => {
  const profile = (nvme: HostProfileInput["nvme"]) => sampleProfile({ nvme });
  const disks = [
    sampleDisk({ name: "nvme0n1", model: "Amazon Elastic Block Store" }),
    storeDisk("nvme10n1"),
    storeDisk("nvme2n1"),
    sampleDisk({ name: "nvme3n1", model: "QEMU NVMe Ctrl" }),
    sampleDisk({ name: "nvme4n1", model: "QEMU NVMe Ctrl", kind: "nvme-multipath" }),
    sampleDisk({ name: "nvme4c5n1", model: "QEMU NVMe Ctrl" }),
    sampleDisk({ name: "nvme6n1", model: "nvme_card" }),
    storeDisk("sda", { kind: "scsi" }),
  ];
  const facts = sampleFacts({ blockDevices: disks });

  it("takes a cloud's instance stores and nothing that outlives the instance", () => {
    expect(storeDisks(facts, profile(NVME)).map(({ name }) => name)).toEqual(["nvme2n1", "nvme10n1"]);
    const google = { ...facts, cloud: { ...facts.cloud, provider: "gcp" as const } };
    expect(storeDisks(google, profile(NVME)).map(({ name }) => name)).toContain("nvme6n1");
  });

  it("takes what the profile names instead, whole devices only", () => {
    const named = profile({ ...NVME, models: ["QEMU NVMe Ctrl"] });
    expect(storeDisks(facts, named).map(({ name }) => name)).toEqual(["nvme3n1", "nvme4n1"]);
  });

  it("takes none unless the profile asks for a layout", () => {
    expect(storeDisks(facts, sampleProfile())).toEqual([]);
  });
});

describe("storeUuid()", () => {
  it("is the same for the same disks, another for others, and a UUID", () => {
    expect(storeUuid(WWIDS, "array")).toBe(ARRAY);
    expect(ARRAY).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(new Set([ARRAY, FILESYSTEM, storeUuid([...WWIDS, "eui.3"], "array")]).size).toBe(3);
    expect(storeUuid(["eui.1", null], "array")).toBeUndefined();
    expect(arrayPath("00112233-4455-8677-8899-aabbccddeeff")).toBe(
      "/dev/disk/by-id/md-uuid-00112233:44558677:8899aabb:ccddeeff",
    );
  });
});

describe("readStore()", () => {
  it("finds blank disks, and members of our array that is not running", async () => {
    expect(await stateOf({})).toEqual({ kind: "blank" });
    const member = { stdout: `TYPE=linux_raid_member\nUUID=${ARRAY}\n`, exitCode: 0 };
    const both = { "blkid /dev/nvme1n1": member, "blkid /dev/nvme2n1": member };
    expect(await stateOf({}, both)).toEqual({ kind: "apart" });
    // Killed between the superblocks.
    expect(await stateOf({}, { "blkid /dev/nvme1n1": member })).toEqual({ kind: "blank" });
  });

  it("finds the running array, ours or not", async () => {
    const running: HostTree = {
      "/sys/block/md127/md/level": "raid0\n",
      "/sys/block/md127/slaves/nvme1n1/.keep": "",
      "/sys/block/md127/slaves/nvme2n1/.keep": "",
      "/dev/md127": "",
    };
    expect(await stateOf(running)).toEqual({ kind: "device", name: "md127", isOurs: false });
    const named = { ...running, [arrayPath(ARRAY)]: { link: "../../md127" } };
    expect(await stateOf(named)).toEqual({ kind: "device", name: "md127", isOurs: true });
  });

  it.each<[string, HostTree, Parameters<typeof toolsWith>[0], string]>([
    ["partitions", { "/sys/block/nvme2n1/nvme2n1p1/partition": "1\n" }, {}, "has partitions (nvme2n1p1)"],
    ["a holder", { "/sys/block/nvme2n1/holders/dm-0/.keep": "" }, {}, "is part of dm-0"],
    [
      "a mount",
      { "/proc/self/mountinfo": "31 1 259:1 / /data rw - ext4 /dev/x rw\n" },
      {},
      "is mounted at /data",
    ],
    ["swap", { "/proc/swaps": "Filename Type\n/dev/nvme2n1 partition\n" }, {}, "is swap space"],
    ["a read-only disk", { "/sys/block/nvme2n1/ro": "1\n" }, {}, "is read-only"],
    [
      "udev's note of a file system",
      { "/run/udev/data/b259:1": "E:ID_FS_TYPE=ext4\nE:ID_FS_UUID=77\n" },
      {},
      "holds ext4 77",
    ],
    [
      "a signature",
      {},
      { "blkid /dev/nvme2n1": { exitCode: 0, stdout: "TYPE=LVM2_member\nUUID=Ab\n" } },
      "holds LVM2_member ab",
    ],
    [
      "a partition table",
      {},
      { "blkid /dev/nvme2n1": { exitCode: 0, stdout: "PTTYPE=gpt\n" } },
      "holds a partition table (gpt)",
    ],
    [
      "another array's member",
      {},
      { "blkid /dev/nvme2n1": { exitCode: 0, stdout: "TYPE=linux_raid_member\nUUID=1-2\n" } },
      "holds linux_raid_member 1-2",
    ],
    [
      "several signatures",
      {},
      { "blkid /dev/nvme2n1": { exitCode: 8 } },
      "is unclear to blkid (exit code 8)",
    ],
    [
      "no right to open it",
      {},
      { "blkid /dev/nvme2n1": { exitCode: 2, stderr: "error: /dev/nvme2n1: Permission denied" } },
      "is unclear to blkid (exit code 2): error: /dev/nvme2n1: Permission denied",
    ],
    ["no blkid", {}, { "blkid /dev/nvme2n1": undefined }, "cannot be looked at: blkid is not installed"],
    ["bytes of something", {}, { "od /dev/nvme2n1": { stdout: "0000000 01\n" } }, "is not blank"],
    [
      "a read error",
      {},
      { "od /dev/nvme2n1": { exitCode: 1, stderr: "I/O error" } },
      "cannot be read: I/O error",
    ],
    ["no identity", { "/sys/block/nvme2n1/wwid": "\n" }, {}, "no wwid to know it by"],
  ])("refuses a disk with %s, by name", async (_, tree, answers, because) => {
    await using root = await createHostRoot({ ...diskTree(), ...tree });
    const host = Object.assign(openHost(root.root), { runTool: toolsWith(answers) });
    const state = await readStore(host, NAMES);
    expect(state.kind).toBe("refused");
    expect(state).toMatchObject({ because: expect.stringMatching(/^nvme2n1/) });
    expect(state).toMatchObject({ because: expect.stringContaining(because) });
  });

  it("takes only zeros for blank", () => {
    expect(isZeroDump(ZEROS)).toBe(true);
    for (const text of ["", ZEROS.replace("00 00", "00 01"), ZEROS.replace("4000000", "0001000")]) {
      expect(isZeroDump(text), text).toBe(false);
    }
  });
});

function decide(knob: AnyKnob, current: string, profile: Omit<HostProfileInput, "apiVersion" | "kind"> = {}) {
  const facts = sampleFacts({ blockDevices: DISKS });
  const whole = sampleProfile({ nvme: NVME, consent: [...CONSENT], ...profile });
  const [target] = knob.targets?.(facts, whole) ?? [];
  if (target === undefined) throw new Error("no target");
  const desired = knob.desired({ facts, profile: whole, current, target });
  if (desired.kind === "leave") return { desired, commands: [] };
  const writes = knob.writes(knob.value.parse(desired.value), target, current);
  const commands = writes
    .filter((write): write is ToolWrite => write.kind === "tool")
    .map((write) => write.command.join(" "));
  return { desired, commands };
}

describe("nvme.array", () => {
  it("creates on blank disks, assembles what is ours, and never forces mdadm", () => {
    const [create = ""] = decide(nvmeArray, "blank").commands;
    expect(create).toMatch(
      /^mdadm --create \/dev\/md\/bedplate --level=0 .*--raid-devices=2 \/dev\/nvme1n1 \/dev\/nvme2n1$/,
    );
    expect(create).toContain(`--uuid=${arrayPath(ARRAY).split("md-uuid-")[1] ?? "-"}`);
    expect(create).not.toMatch(/--run|--force|-f\b/);
    expect(decide(nvmeArray, "apart").commands[0]).toMatch(/^mdadm --assemble \/dev\/md\/bedplate --uuid=/);
  });

  it("fails with the disk's name, and is satisfied with anybody's array of these disks", () => {
    expect(() => decide(nvmeArray, "refused: nvme2n1 is mounted at /data")).toThrow(
      "Cannot use nvme1n1+nvme2n1 as instance store: nvme2n1 is mounted at /data; nothing was written",
    );
    expect(nvmeArray.isSatisfied?.("raid0 of somebody else", `raid0 ${ARRAY}`)).toBe(true);
    expect(nvmeArray.isSatisfied?.("blank", `raid0 ${ARRAY}`)).toBe(false);
  });

  it("needs no array for one disk, which then has the file system itself", () => {
    const facts = sampleFacts({ blockDevices: [storeDisk("nvme1n1")] });
    const profile = sampleProfile({ nvme: NVME });
    expect(nvmeArray.targets?.(facts, profile)).toEqual([]);
    const target = { name: "nvme1n1" };
    expect(nvmeFilesystem.targets?.(facts, profile)).toEqual([target]);
    expect(nvmeFilesystem.desired({ facts, profile, current: "none", target })).toMatchObject({
      value: expect.stringMatching(/^xfs .* on \/dev\/nvme1n1$/),
    });
  });

  it("never writes without consent to data loss and to what cannot be taken back", async () => {
    for (const consent of [[], ["irreversible"], ["data-loss"]] as const) {
      await using root = await createHostRoot({ "/etc/.keep": "", "/run/.keep": "", ...diskTree() });
      const calls: string[] = [];
      const answer = toolsWith();
      const host = Object.assign(openHost(root.root), {
        runTool: (tool: string, args: readonly string[]) => {
          calls.push(tool);
          return answer(tool, args);
        },
      });
      const report = await engineOn(root.root).apply({
        host,
        facts: sampleFacts({ blockDevices: DISKS }),
        knobs: [nvmeArray, nvmeFilesystem, nvmeMount],
        profile: { nvme: NVME, consent: [...consent] },
      });
      expect(report.entries.map(({ outcome }) => outcome)).toEqual(["left", "left", "left"]);
      expect(new Set(calls)).toEqual(new Set(["blkid", "od"]));
    }
  });
});

describe("nvme.filesystem", () => {
  it("aligns a new file system to the array, discards nothing and never forces", () => {
    const [xfs = ""] = decide(nvmeFilesystem, "none").commands;
    expect(xfs).toBe(`mkfs.xfs -q -K -m uuid=${FILESYSTEM} -d su=512k,sw=2 -l su=8b ${arrayPath(ARRAY)}`);
    const [ext4 = ""] = decide(nvmeFilesystem, "none", { nvme: { ...NVME, filesystem: "ext4" } }).commands;
    expect(ext4).toBe(
      `mkfs.ext4 -q -b 4096 -U ${FILESYSTEM} -E nodiscard,stride=128,stripe_width=256 ${arrayPath(ARRAY)}`,
    );
  });

  it("knows its own again, of whatever type it was made, and refuses any other", () => {
    const { desired } = decide(nvmeFilesystem, `ext4 ${FILESYSTEM}`);
    if (desired.kind !== "set") throw new Error(desired.because);
    expect(nvmeFilesystem.isSatisfied?.(`ext4 ${FILESYSTEM}`, desired.value)).toBe(true);
    expect(nvmeFilesystem.isSatisfied?.("none", desired.value)).toBe(false);
    expect(() => decide(nvmeFilesystem, "xfs 1-2-3")).toThrow(
      "it holds xfs 1-2-3, which is not what was made here; nothing was written",
    );
  });
});

describe("a file system on an array that is not running", () => {
  it("is never made anew: it waits for the array and is looked at then", async () => {
    const member = { stdout: `TYPE=linux_raid_member\nUUID=${ARRAY}\n`, exitCode: 0 };
    await using root = await createHostRoot(diskTree());
    const host = Object.assign(openHost(root.root), {
      runTool: toolsWith({ "blkid /dev/nvme1n1": member, "blkid /dev/nvme2n1": member }),
    });
    const current = await nvmeFilesystem.read(host, TARGET);
    expect(current).not.toBe("none");
    expect(decide(nvmeFilesystem, String(current)).desired.kind).toBe("leave");
    expect(nvmeFilesystem.rediscoverAfter).toEqual(["nvme.array"]);
    expect(nvmeMount.rediscoverAfter).toEqual(["nvme.array", "nvme.filesystem"]);
  });
});

describe("nvme.mount", () => {
  const target = { name: `/mnt/fast on ${TARGET.name}` };

  it("writes a unit by UUID that a boot without the disks survives", () => {
    const writes = nvmeMount.writes(FILESYSTEM, target, "none");
    expect(writes[0]).toMatchObject({
      kind: "config-file",
      path: "/etc/systemd/system/mnt-fast.mount",
      text: expect.stringContaining(
        `What=/dev/disk/by-uuid/${FILESYSTEM}\nWhere=/mnt/fast\nOptions=noatime,nofail\n`,
      ),
    });
    const device = String.raw`dev-disk-by\x2duuid-${FILESYSTEM.replaceAll("-", String.raw`\x2d`)}`;
    expect(writes[1]).toMatchObject({
      path: `/etc/systemd/system/${device}.device.d/50-bedplate-instance-store.conf`,
      text: expect.stringContaining("[Unit]\nWants=mnt-fast.mount\n"),
    });
    expect(writes.at(-1)).toMatchObject({
      command: ["systemctl", "start", "mnt-fast.mount"],
      undo: ["systemctl", "stop", "mnt-fast.mount"],
    });
  });

  it("reads what is mounted, what the mount would hide, and what is refused below", async () => {
    const read = async (tree: HostTree): Promise<unknown> => {
      await using root = await createHostRoot({ ...diskTree(), ...tree });
      return await nvmeMount.read(Object.assign(openHost(root.root), { runTool: toolsWith() }), target);
    };
    expect(await read({})).toBe("no folder");
    expect(await read({ "/mnt/fast/file": "" })).toBe("hides 1 entries");
    expect(await read({ "/sys/block/nvme1n1/ro": "1\n" })).toBe("refused: nvme1n1 is read-only");
    const mounted: HostTree = {
      "/proc/self/mountinfo": "31 1 9:127 / /mnt/fast rw - xfs /dev/md127 rw\n",
      "/sys/dev/block/9:127": { link: "../../devices/virtual/block/md127" },
      "/sys/devices/virtual/block/md127/.keep": "",
    };
    expect(await read(mounted)).toBe("xfs of /dev/md127");
    const known = { [`/dev/disk/by-uuid/${FILESYSTEM}`]: { link: "../../md127" }, "/dev/md127": "" };
    expect(await read({ ...mounted, ...known })).toBe(FILESYSTEM);
  });

  it("fails where something else is, and hides no files", () => {
    expect(() => decide(nvmeMount, "hides 3 entries")).toThrow("the mount hides 3 entries there");
    expect(() => decide(nvmeMount, "ext4 of /dev/sda1")).toThrow("ext4 of /dev/sda1 is mounted there");
  });

  it.each([
    ["/mnt/fast", "mnt-fast"],
    ["/mnt/fast-disk", String.raw`mnt-fast\x2ddisk`],
    ["/.hidden/a", String.raw`\x2ehidden-a`],
    ["/var/lib/a_b.c", "var-lib-a_b.c"],
  ])("names the unit of %s as systemd does", (path, unit) => {
    expect(escapePath(path)).toBe(unit);
  });
});

it("a store's identity does not change between versions, as disks in use have it", () => {
  const hash = createHash("sha256").update("bedplate\narray\neui.nvme1n1\neui.nvme2n1").digest("hex");
  expect(ARRAY.slice(0, 8)).toBe(hash.slice(0, 8));
});
