import * as z from "zod";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { assignIrqs } from "./irq-assignment.ts";
import { NO_IRQBALANCE, irqbalanceTarget, irqbalanceVariable } from "./irqbalance-variable.ts";
import { defineKnob } from "./knob.ts";
import { nextStart } from "./pending-restart.ts";

const BAN = /^(?:--banirq=|-i)(\d{1,7})$/;

/**
 * irqbalance.IRQBALANCE_ARGS: irqbalance's arguments; a `--banirq` for every interrupt that is pinned here.
 *
 * irqbalance moves interrupts every ten seconds. perftune.py stops it or edits its file; here it goes on balancing all
 * others and is told which ones are not its business. Arguments and bans that somebody else has set stay, but for
 * those of a NIC's queues: their numbers change from boot to boot. Read is what the running process was started with.
 *
 * @example NIC queues 24 to 25 pinned: "--banirq=24 --banirq=25"
 */
export const irqbalanceIrqbalanceArgs = defineKnob<string>({
  id: "irqbalance.IRQBALANCE_ARGS",
  title: "Interrupts that irqbalance leaves where they are",
  family: "irq",
  unit: "text",
  scope: "unit",
  phase: "late",
  after: ["sriov_numvfs", "ethtool.channels.combined"],
  rediscoverAfter: ["sriov_numvfs", "ethtool.channels.combined"],
  takesEffect: "now",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "low", what: "irqbalance no longer moves these away from a busy CPU" },
  anchors: {
    "perftune.py":
      "--banirq for what it pins, in the distribution's file; seen to ban wrongly (scylladb#4402)",
    TuneD: "IRQBALANCE_BANNED_CPULIST in cpu-partitioning",
    rpk: "bans what it pins, one backup of the file",
  },
  kernelDefault: "none",
  sources: [
    "https://github.com/Irqbalance/irqbalance/blob/cd9212f/irqbalance.1",
    "https://github.com/amzn/amzn-drivers/blob/64788ef/kernel/linux/ena/ENA_Linux_Best_Practices.rst",
  ],
  value: z
    .string()
    .regex(
      /^(?:[A-Za-z0-9=_./,-]+(?: [A-Za-z0-9=_./,-]+)*)?$/,
      "arguments with one space between, no quotes",
    ),
  targets: irqbalanceTarget,
  absentBecause: NO_IRQBALANCE,
  ...irqbalanceVariable({
    names: ["IRQBALANCE_ARGS"],
    fileName: "args",
    async readRunning(host, pid) {
      const words = (await host.readText(`/proc/${pid}/cmdline`))?.split("\0").filter((word) => word !== "");
      return words === undefined ? undefined : normalise(words.slice(1));
    },
  }),

  desired({ facts, profile, current }) {
    const pinned = pinnedIrqs(facts, profile);
    if (pinned.length === 0) return leave("no interrupt is pinned here that irqbalance could move");
    const isQueue = new Set(facts.nics.flatMap((nic) => nic.irqs));
    const there = new Set(facts.irqs.map(({ irq }) => irq));
    const words = nextStart(current)
      .split(" ")
      .filter((word) => word !== "");
    const others = words.filter((word) => {
      const banned = BAN.exec(word)?.[1];
      return banned === undefined || (there.has(Number(banned)) && !isQueue.has(Number(banned)));
    });
    return setTo(
      normalise([...others, ...pinned.map((irq) => `--banirq=${irq}`)]),
      `interrupts ${formatKernelList(pinned)} are pinned; irqbalance goes on with all others`,
    );
  },

  format: (args) => (args === "" ? "none" : args),
});

/** Interrupts that irq/smp_affinity_list gives a CPU. */
function pinnedIrqs(facts: HostFacts, profile: HostProfile): number[] {
  const managed = new Set(facts.irqs.filter(({ isManaged }) => isManaged === true).map(({ irq }) => irq));
  return [...assignIrqs(facts, profile)]
    .filter(([irq, { cpu }]) => cpu !== undefined && !managed.has(irq))
    .map(([irq]) => irq)
    .toSorted((a, b) => a - b);
}

/** One spelling of each ban, without what the unit itself says (--foreground). */
function normalise(words: readonly string[]): string {
  const joined: string[] = [];
  for (const word of words) {
    const last = joined.at(-1);
    if ((last === "--banirq" || last === "-i") && /^\d+$/.test(word))
      joined[joined.length - 1] = `--banirq=${word}`;
    else if (word !== "--foreground" && word !== "-f") joined.push(word.replace(BAN, "--banirq=$1"));
  }
  return joined.join(" ");
}
