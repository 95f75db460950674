import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readContent } from "./device-content.ts";
import {
  CHUNK_KIB,
  NO_INSTANCE_STORE,
  arrayPath,
  describe,
  diskNames,
  readStore,
  storeDisks,
  storeTarget,
  storeUuid,
} from "./instance-store.ts";
import { defineKnob, type ToolWrite } from "./knob.ts";
import { refuse } from "./nvme-array.ts";

/** Blocks of both file systems. */
const BLOCK_KIB = 4;

/** The array's members are there and it does not run: a file system may be on it, so nothing is made. */
const APART = "not known";

/**
 * nvme.filesystem: a file system on the instance store, aligned to the array's chunks.
 *
 * Made once, on a blank device: a device that holds anything is refused, and mkfs.xfs gets no -f, so that it refuses by
 * itself too. It is known again by a UUID that follows from the disks, so that a run that was killed, and every boot,
 * finds its own work and never makes it twice. Nothing is discarded first (-K, nodiscard): the disks come discarded, and
 * terabytes of it take minutes.
 */
export const nvmeFilesystem = defineKnob<string>({
  id: "nvme.filesystem",
  title: "File system on the instance store",
  family: "block",
  unit: "text",
  scope: "disk",
  phase: "late",
  // What is on an array shows once it runs. Not by `after`: rollback has to come to this before it stops the array.
  rediscoverAfter: ["nvme.array"],
  takesEffect: "now",
  survivesReboot: true,
  risk: { level: "high", what: "what was on the device is gone" },
  isReversible: false,
  needsConsent: "data-loss",
  kernelDefault: "none",
  anchors: { "EKS AMI": "mkfs.xfs -K -l su=8b, asked for in the node's configuration" },
  sources: [
    "https://man7.org/linux/man-pages/man8/mkfs.xfs.8.html",
    "https://man7.org/linux/man-pages/man8/mke2fs.8.html",
    "https://github.com/awslabs/amazon-eks-ami/blob/81fec2e/templates/shared/runtime/bin/setup-local-disks",
  ],
  value: z
    .string()
    .regex(/^(xfs|ext4) [0-9a-f-]{36} on \/dev\/\S+$/, "a file system, its UUID and its device"),

  targets(facts, profile) {
    const disks = storeDisks(facts, profile);
    return disks.length === 0 || profile.nvme.mountPath === undefined ? [] : [storeTarget(disks)];
  },
  absentBecause: `${NO_INSTANCE_STORE}, or no nvme.mountPath`,

  async read(host, target) {
    const state = await readStore(host, diskNames(target));
    if (state.kind === "refused") return `refused: ${state.because}`;
    if (state.kind !== "device") return state.kind === "apart" ? APART : "none";
    const content = await readContent(host, state.name);
    if (content.kind === "blank") return "none";
    if (content.kind === "signature" && content.uuid !== undefined) return `${content.type} ${content.uuid}`;
    return `refused: ${state.name} ${describe(content)}`;
  },

  desired({ facts, profile, current, target }) {
    const disks = storeDisks(facts, profile);
    const wwids = disks.map(({ wwid }) => wwid);
    refuse(current, target.name);
    if (current === APART) return leave("what the array holds shows once nvme.array has put it together");
    const [uuid, array] = [storeUuid(wwids, "filesystem"), storeUuid(wwids, "array")];
    if (uuid === undefined || array === undefined) return leave("a disk has no wwid to know it by");
    if (current !== "none" && current.split(" ")[1] !== uuid) {
      refuse(`refused: it holds ${current}, which is not what was made here`, target.name);
    }
    const device = disks.length === 1 ? `/dev/${disks[0]?.name ?? ""}` : arrayPath(array);
    return setTo(
      `${current === "none" ? profile.nvme.filesystem : (current.split(" ")[0] ?? "")} ${uuid} on ${device}`,
      `nvme.mountPath asks for a file system on ${disks.length} instance store${disks.length === 1 ? "" : "s"}`,
    );
  },

  isSatisfied: (current, wanted) => wanted.startsWith(`${current} on `),

  writes(value, target) {
    const [type = "", uuid = "", , device = ""] = value.split(" ");
    const disks = diskNames(target).length;
    const command = type === "xfs" ? mkfsXfs(uuid, device, disks) : mkfsExt4(uuid, device, disks);
    const settle: ToolWrite["command"] = ["udevadm", "settle", "--timeout=20"];
    return [
      // What the file system came to hold is nobody's to erase, so that taking it back does nothing to it.
      { kind: "tool", command, undo: settle },
      { kind: "tool", command: settle, undo: settle },
    ];
  },
});

function mkfsXfs(uuid: string, device: string, disks: number): ToolWrite["command"] {
  const stripe = disks === 1 ? [] : ["-d", `su=${CHUNK_KIB}k,sw=${disks}`, "-l", "su=8b"];
  return ["mkfs.xfs", "-q", "-K", "-m", `uuid=${uuid}`, ...stripe, device];
}

function mkfsExt4(uuid: string, device: string, disks: number): ToolWrite["command"] {
  const stride = CHUNK_KIB / BLOCK_KIB;
  const stripe = disks === 1 ? "" : `,stride=${stride},stripe_width=${stride * disks}`;
  return ["mkfs.ext4", "-q", "-b", String(BLOCK_KIB * 1024), "-U", uuid, "-E", `nodiscard${stripe}`, device];
}
