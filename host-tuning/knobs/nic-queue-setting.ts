import type { NicFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import { type AnyKnob, type Desired, type DesiredInput, type Knob, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, queueFile, queueTargets } from "./nic-targets.ts";

/** What a setting of a NIC's queues says for itself; the rest follows from its file and its direction. */
interface NicQueueSettingArgs<V extends string | number> extends Pick<
  Knob<V>,
  "id" | "title" | "unit" | "risk" | "kernelDefault" | "sources" | "value" | "anchors" | "isSatisfied"
> {
  readonly direction: "rx" | "tx";
  readonly readFile: (host: Host, path: string) => Promise<V | undefined>;
  readonly decide: (nic: NicFacts, input: DesiredInput<V>) => Desired<V>;
}

/**
 * A setting that every queue of a NIC has in a file of its own, called as the knob: queues/rx-0/rps_cpus. The driver
 * makes the queues anew when it gets virtual functions or other channels, so it comes behind both.
 */
export function nicQueueSetting<V extends string | number>({
  direction,
  readFile,
  decide,
  ...own
}: NicQueueSettingArgs<V>): AnyKnob {
  const behind = ["sriov_numvfs", "ethtool.channels.combined"];
  return defineKnob<V>({
    ...own,
    family: "nic",
    scope: "nic",
    phase: "late",
    after: behind,
    rediscoverAfter: behind,
    takesEffect: "now",
    survivesReboot: false,
    isReversible: true,

    targets: (facts) => queueTargets(facts, direction),
    absentBecause: NO_PHYSICAL_NIC,

    async read(host, target) {
      const path = queueFile(target, own.id);
      return path === undefined ? undefined : await readFile(host, path);
    },

    desired: (input) => decideNic(input, (nic) => decide(nic, input)),

    writes(value, target) {
      const path = queueFile(target, own.id);
      return path === undefined ? [] : [{ kind: "kernel-file", path, text: `${value}\n` }];
    },
  });
}
