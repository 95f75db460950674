import { TuningError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, kernelListSchema, parseKernelList } from "../sys/kernel-list.ts";
import { assignIrqs, type IrqAssignment } from "./irq-assignment.ts";
import { leave, setTo } from "./desired.ts";
import { irqbalanceIrqbalanceArgs } from "./irqbalance-irqbalance-args.ts";
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
 * Left alone: interrupts that carry no packets, and those whose affinity the kernel manages: it spreads the queues of
 * NVMe and virtio-blk disks over the CPUs by itself and refuses a write (EIO). Each such device is one line of the plan.
 * Where irqbalance runs it is told which interrupts are pinned (irqbalance.IRQBALANCE_ARGS); where it cannot be, all are
 * left to it.
 *
 * Virtual functions and a change of `ethtool.channels.combined` give a NIC other interrupts, which are discovered again
 * when those are written.
 */
export const irqSmpAffinityList = defineKnob<string>({
  id: "irq/smp_affinity_list",
  title: "CPU that takes a NIC queue's interrupt",
  family: "irq",
  unit: "cpus",
  scope: "irq",
  phase: "late",
  after: ["irqbalance.IRQBALANCE_ARGS", "sriov_numvfs", "ethtool.channels.combined"],
  rediscoverAfter: ["sriov_numvfs", "ethtool.channels.combined"],
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "packets of one queue are taken by one CPU; a busy one delays them" },
  isReversible: true,
  anchors: {
    TuneD: "plugin irq: one set for all, EIO taken for unchangeable",
    rpk: "spread over CPUs by hwloc; its mq mode put all on CPU 0 (redpanda#10444)",
    "perftune.py": "spread over CPUs by hwloc, refuses an asymmetric host",
    NTO: "off isolated CPUs, through irqbalance and CRI-O",
  },
  kernelDefault: "all CPUs asked for, one chosen by the interrupt controller",
  sources: [
    "https://docs.kernel.org/core-api/irq/irq-affinity.html",
    "https://docs.kernel.org/networking/scaling.html",
  ],
  value: kernelListSchema.refine((list) => list !== "", "at least one CPU"),

  targets: (facts) => [
    ...facts.nics
      .filter((nic) => nic.isPhysical)
      .flatMap((nic) => nic.irqs)
      .toSorted((a, b) => a - b)
      .map((irq) => ({ name: `irq ${irq}` })),
    ...managedTargets(facts),
  ],
  absentBecause: "no physical NIC has interrupts of its own",

  async read(host, target) {
    const managed = managedIrqs(target);
    if (managed !== undefined) return await readUnion(host, managed);
    const asked = await readList(host, `${folderOf(target)}/smp_affinity_list`);
    if (asked === undefined) return undefined;
    const effective = await readList(host, `${folderOf(target)}/effective_affinity_list`);
    const isInForce = effective !== undefined && effective !== "" && isSubset(effective, asked);
    return isInForce ? effective : asked;
  },

  desired({ facts, profile, target, current }) {
    if (managedIrqs(target) !== undefined)
      return leave(
        `managed: the kernel spreads these queues over CPUs ${current} by itself and refuses a write; isolcpus=managed_irq at boot keeps them off CPUs`,
      );
    const irq = irqOf(target);
    const assignment = assignmentsOf(facts, profile).get(irq);
    if (assignment === undefined) {
      return leave("the facts name no NIC for this interrupt");
    }
    const nic = facts.nics.find((candidate) => candidate.name === assignment.nic);
    const wait = nic === undefined ? undefined : waitsForFunctions(nic, facts, profile);
    if (wait !== undefined) return leave(wait);
    const unheard = irqbalanceInTheWay(facts, profile);
    if (unheard !== undefined) return leave(unheard);
    if (facts.irqs.find((candidate) => candidate.irq === irq)?.isManaged === true) {
      return leave(`"${assignment.action}" is managed: the kernel owns its affinity`);
    }
    if (assignment.cpu === undefined) return leave(assignment.because);
    return setTo(String(assignment.cpu), assignment.because);
  },

  // The kernel refuses what is managed, so that there is nothing to write, and nothing to put back.
  writes: (value, target) =>
    managedIrqs(target) === undefined
      ? [{ kind: "kernel-file", path: `${folderOf(target)}/smp_affinity_list`, text: `${value}\n` }]
      : [],

  isSatisfied: isSubset,
  format: (cpus) => `CPU ${cpus}`,

  explainShortfall: (wanted, found) =>
    `asked for CPU ${wanted}, delivered to CPU ${found}: something else moved it, or the interrupt controller cannot`,
});

/** irqbalance would move an interrupt again unless it is told not to: by our drop-in, for which systemd has to start it. */
function irqbalanceInTheWay(facts: HostFacts, profile: HostProfile): string | undefined {
  const balancer = facts.ownership.find(({ owner }) => owner === "irqbalance");
  if (balancer === undefined) return undefined;
  const override = profile.overrides[irqbalanceIrqbalanceArgs.id];
  if (facts.initSystem === "systemd" && override === undefined) return undefined;
  const why =
    override === undefined ? "systemd does not start it" : `the profile has it so: ${override.because}`;
  return `irqbalance runs (${balancer.source}) and would move it again, as it is not told to leave it (${why})`;
}

/** "nvme0 irqs 41-42": the queues of one disk, which are no single decision. */
function managedTargets(facts: HostFacts): Target[] {
  const byDevice = Map.groupBy(
    facts.irqs.filter(({ isManaged }) => isManaged === true),
    ({ action }) => /^(?:nvme\d+|virtio\d+)/.exec(action)?.[0] ?? action,
  );
  const ofNics = new Set(facts.nics.flatMap((nic) => nic.irqs));
  return [...byDevice]
    .map(([device, irqs]) => [device, irqs.map(({ irq }) => irq).filter((irq) => !ofNics.has(irq))] as const)
    .filter(([, irqs]) => irqs.length > 0)
    .map(([device, irqs]) => ({ name: `${device} irqs ${formatKernelList(irqs)}` }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** The interrupts of a target that stands for a device's managed ones. */
function managedIrqs(target: Target): number[] | undefined {
  return parseKernelList(/ irqs ([\d,-]+)$/.exec(target.name)?.[1] ?? "x");
}

/** Every CPU that one of the interrupts goes to. */
async function readUnion(host: Host, irqs: readonly number[]): Promise<string | undefined> {
  const lists = await Promise.all(
    irqs.map(async (irq) => {
      const folder = `/proc/irq/${irq}`;
      const effective = await readList(host, `${folder}/effective_affinity_list`);
      return effective === undefined || effective === ""
        ? readList(host, `${folder}/smp_affinity_list`)
        : effective;
    }),
  );
  const known = lists.filter((list) => list !== undefined);
  return known.length === 0
    ? undefined
    : formatKernelList(known.flatMap((list) => parseKernelList(list) ?? []));
}

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
