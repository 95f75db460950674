import * as z from "zod";
import type { BlockDeviceFacts, HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave } from "./desired.ts";
import { diskOf, NO_DISK, queuePath, requestQueueTargets } from "./disk.ts";
import { readCount } from "./kernel-file.ts";
import { type AnyKnob, defineKnob, type Desired, type Knob, type Target } from "./knob.ts";

export const SYSFS_BLOCK = "https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-block";

/** What a rule of a disk's queue looks at. */
export interface QueueSituation {
  readonly device: BlockDeviceFacts;
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  readonly current: number;
}

type FixedFields =
  | "family"
  | "scope"
  | "phase"
  | "takesEffect"
  | "survivesReboot"
  | "isReversible"
  | "value"
  | "targets"
  | "absentBecause"
  | "read"
  | "desired"
  | "writes";

/** What differs from one number below /sys/block/DISK/queue to the next. */
export interface QueueFileKnob extends Omit<Knob<number>, FixedFields | "id"> {
  /** Name of the file in the queue's folder. */
  readonly file: string;
  readonly least: number;
  readonly most: number;
  /** Absent: disks with a request queue of their own. */
  readonly targets?: (facts: HostFacts) => readonly Target[];
  /** Absent: a count. */
  readonly read?: Knob<number>["read"];
  /** Pure. What this disk should have. */
  readonly rule: (situation: QueueSituation) => Desired<number>;
}

/** A knob that is one number in a disk's queue folder, in force as soon as it is written and gone with the next boot. */
export function queueFileKnob({ file, least, most, rule, ...rest }: QueueFileKnob): AnyKnob {
  return defineKnob<number>({
    id: `queue/${file}`,
    family: "block",
    scope: "disk",
    phase: "late",
    takesEffect: "now",
    survivesReboot: false,
    isReversible: true,
    value: z.int().min(least).max(most),
    absentBecause: NO_DISK,
    read: (host, target) => readCount(host, queuePath(target, file)),
    desired({ facts, profile, current, target }) {
      const device = diskOf(facts, target);
      if (device === undefined) return leave("the facts do not have this disk");
      return rule({ device, facts, profile, current });
    },
    writes: (value, target) => [{ kind: "kernel-file", path: queuePath(target, file), text: `${value}\n` }],
    ...rest,
    targets: rest.targets ?? ((facts) => requestQueueTargets(facts)),
  });
}
