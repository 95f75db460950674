import { TuningError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, kernelListSchema, parseKernelList } from "../sys/kernel-list.ts";
import { assignIrqs, type IrqAssignment } from "./irq-assignment.ts";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob, type Target } from "./knob.ts";
import { waitsForFunctions } from "./virtual-functions.ts";

/**
 * irq/smp_affinity_list: which CPU takes each queue interrupt of a NIC.
 *
 * One CPU of the NIC's node for each queue, or of the profile's reserved CPUs where it names some. Read is what is in
 * force, `effective_affinity_list`: interrupt controllers may deliver to one CPU of the set that was asked for, so a
 * subset of it is right. Without interrupt remapping (most VMs) x86 moves an interrupt only when it next fires; until
 * then the effective CPU lies outside the set that the kernel has accepted, and that accepted set is read.
 *
 * Left alone: interrupts whose affinity the kernel manages (it refuses the write), those that carry no packets, and
 * all of them where irqbalance runs, which would move them again.
 *
 * A change of `ethtool.channels.combined` gives a NIC other interrupts. Both in one run: those that are new get their
 * CPU in the next run, so at boot the channels are set in the early phase and interrupts in the late one.
 */
export const irqSmpAffinityList = defineKnob<string>({
  id: "irq/smp_affinity_list",
  title: "CPU that takes a NIC queue's interrupt",
  family: "irq",
  unit: "cpus",
  scope: "irq",
  phase: "late",
  after: ["ethtool.channels.combined"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "packets of one queue are taken by one CPU; a busy one delays them" },
  isReversible: true,
  kernelDefault: "all CPUs asked for, one chosen by the interrupt controller",
  sources: [
    "https://docs.kernel.org/core-api/irq/irq-affinity.html",
    "https://docs.kernel.org/networking/scaling.html",
  ],
  value: kernelListSchema.refine((list) => list !== "", "at least one CPU"),

  targets: (facts) =>
    facts.nics
      .filter((nic) => nic.isPhysical)
      .flatMap((nic) => nic.irqs)
      .toSorted((a, b) => a - b)
      .map((irq) => ({ name: `irq ${irq}` })),
  absentBecause: "no physical NIC has interrupts of its own",

  async read(host, target) {
    const asked = await readList(host, `${folderOf(target)}/smp_affinity_list`);
    if (asked === undefined) return undefined;
    const effective = await readList(host, `${folderOf(target)}/effective_affinity_list`);
    const isInForce = effective !== undefined && effective !== "" && isSubset(effective, asked);
    return isInForce ? effective : asked;
  },

  desired({ facts, profile, target }) {
    const irq = irqOf(target);
    const assignment = assignmentsOf(facts, profile).get(irq);
    if (assignment === undefined) {
      return leave("the facts name no NIC for this interrupt");
    }
    const nic = facts.nics.find((candidate) => candidate.name === assignment.nic);
    const wait = nic === undefined ? undefined : waitsForFunctions(nic, profile);
    if (wait !== undefined) return leave(wait);
    const balancer = facts.ownership.find((owner) => owner.owner === "irqbalance");
    if (balancer !== undefined) {
      return leave(
        `irqbalance runs (${balancer.source}) and would move it again; stop irqbalance to have queues pinned`,
      );
    }
    if (facts.irqs.find((candidate) => candidate.irq === irq)?.isManaged === true) {
      return leave(`"${assignment.action}" is managed: the kernel owns its affinity`);
    }
    if (assignment.cpu === undefined) return leave(assignment.because);
    return setTo(String(assignment.cpu), assignment.because);
  },

  writes: (value, target) => [
    { kind: "kernel-file", path: `${folderOf(target)}/smp_affinity_list`, text: `${value}\n` },
  ],

  isSatisfied: isSubset,
  format: (cpus) => `CPU ${cpus}`,

  explainShortfall: (wanted, found) =>
    `asked for CPU ${wanted}, delivered to CPU ${found}: something else moved it, or the interrupt controller cannot`,
});

/** Assignments are the same for all interrupts of a host: worked out once for each pair of facts and profile. */
const assignments = new WeakMap<HostFacts, WeakMap<HostProfile, ReadonlyMap<number, IrqAssignment>>>();

function assignmentsOf(facts: HostFacts, profile: HostProfile): ReadonlyMap<number, IrqAssignment> {
  const byProfile = assignments.get(facts) ?? new WeakMap<HostProfile, ReadonlyMap<number, IrqAssignment>>();
  assignments.set(facts, byProfile);
  const known = byProfile.get(profile) ?? assignIrqs(facts, profile);
  byProfile.set(profile, known);
  return known;
}

function irqOf(target: Target): number {
  return Number(target.name.replace(/^irq /, ""));
}

function folderOf(target: Target): string {
  return `/proc/irq/${irqOf(target)}`;
}

async function readList(host: Host, path: string): Promise<string | undefined> {
  const word = await readWord(host, path);
  if (word === undefined) return undefined;
  const ids = parseKernelList(word);
  if (ids === undefined) {
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: holds "${word}", expected a CPU list`);
  }
  return formatKernelList(ids);
}

function isSubset(list: string, of: string): boolean {
  const allowed = new Set(parseKernelList(of));
  const ids = parseKernelList(list) ?? [];
  return ids.length > 0 && ids.every((id) => allowed.has(id));
}
