import * as z from "zod";
import { TuningError } from "../errors.ts";
import { leave, setTo } from "./desired.ts";
import {
  CHUNK_KIB,
  NO_INSTANCE_STORE,
  diskNames,
  mdadmUuid,
  readStore,
  storeDisks,
  storeTarget,
  storeUuid,
} from "./instance-store.ts";
import { defineKnob, type ToolWrite } from "./knob.ts";

/** Name of the array below /dev/md; mdadm makes it with the array, udev again at every boot. */
const DEVICE = "/dev/md/bedplate";

/**
 * nvme.array: several instance stores as one RAID0.
 *
 * Instance stores come blank with the instance and go with it; one that fails takes the instance along anyway, so RAID0
 * loses nothing that was safe. Only blank disks are taken: no partition, no signature, not mounted, not held, and a
 * first MiB of zeros; a disk that is anything else is refused by name and nothing is made. mdadm gets neither --run nor
 * --force, so that it refuses by itself what we might have missed. One disk needs no array.
 *
 * After a reboot udev has assembled the array; where it has not, this does. After stop and start an instance has new
 * blank disks, and the array is made again.
 */
export const nvmeArray = defineKnob<string>({
  id: "nvme.array",
  title: "Instance stores as one RAID0",
  family: "block",
  unit: "text",
  scope: "disk",
  phase: "late",
  takesEffect: "now",
  survivesReboot: true,
  risk: { level: "high", what: "what was on the disks is gone; one disk's failure loses all" },
  isReversible: false,
  needsConsent: "data-loss",
  kernelDefault: "none",
  anchors: { "EKS AMI": "setup-local-disks raid0 or raid10, asked for in the node's configuration" },
  sources: [
    "https://man7.org/linux/man-pages/man8/mdadm.8.html",
    "https://docs.kernel.org/admin-guide/md.html",
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ssd-instance-store.html",
  ],
  value: z.string().regex(/^raid0 [0-9a-f-]{36}$/, '"raid0" and the array\'s UUID'),

  targets(facts, profile) {
    const disks = storeDisks(facts, profile);
    return disks.length < 2 ? [] : [storeTarget(disks)];
  },
  absentBecause: `${NO_INSTANCE_STORE}; one disk needs no array`,

  async read(host, target) {
    const state = await readStore(host, diskNames(target));
    switch (state.kind) {
      case "device":
        return `raid0 ${state.isOurs ? "as planned" : "of somebody else"}`;
      case "refused":
        return `refused: ${state.because}`;
      case "blank":
      case "apart":
        return state.kind;
    }
    return state satisfies never;
  },

  desired({ facts, profile, current, target }) {
    const disks = storeDisks(facts, profile);
    refuse(current, target.name);
    const uuid = storeUuid(
      disks.map(({ wwid }) => wwid),
      "array",
    );
    if (uuid === undefined) return leave("a disk has no wwid to know it by");
    return setTo(`raid0 ${uuid}`, `nvme.layout is raid0 and there are ${disks.length} instance stores`);
  },

  isSatisfied: (current) => current.startsWith("raid0 "),

  writes(value, target, before) {
    const uuid = mdadmUuid(value.split(" ")[1] ?? "");
    const devices = diskNames(target).map((name) => `/dev/${name}`);
    const command: ToolWrite["command"] =
      before === "apart"
        ? ["mdadm", "--assemble", DEVICE, `--uuid=${uuid}`, ...devices]
        : [
            "mdadm",
            "--create",
            DEVICE,
            "--level=0",
            `--chunk=${CHUNK_KIB}`,
            "--metadata=1.2",
            "--name=bedplate",
            "--homehost=any",
            `--uuid=${uuid}`,
            `--raid-devices=${devices.length}`,
            ...devices,
          ];
    const settle: ToolWrite["command"] = ["udevadm", "settle", "--timeout=20"];
    return [
      { kind: "tool", command, undo: ["mdadm", "--stop", DEVICE] },
      // The next knob finds the array by the name that udev gives it.
      { kind: "tool", command: settle, undo: settle },
    ];
  },
});

/** Never guesses about data: what is not blank and not ours stops here, with the disk's name. */
export function refuse(current: string, disks: string): void {
  if (!current.startsWith("refused: ")) return;
  throw new TuningError(
    "HOST_READ",
    disks,
    `Cannot use ${disks} as instance store: ${current.slice("refused: ".length)}; nothing was written`,
  );
}
