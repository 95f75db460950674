import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import { ALLOWANCE_COUNTERS, readEthtoolStatistics } from "../facts/ethtool-statistics.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { leave } from "./desired.ts";
import type { Desired, DesiredInput, Target } from "./knob.ts";
import { waitsForFunctions } from "./virtual-functions.ts";

export const NO_PHYSICAL_NIC = "no physical NIC on this host";

/** Every NIC that is a device, the ports of a bond among them; never the bond or bridge itself, which has no queues. */
export function physicalNics(facts: HostFacts): readonly Target[] {
  return facts.nics.filter((nic) => nic.isPhysical).map((nic) => ({ name: nic.name }));
}

/** The queues of one direction of every physical NIC: `eth0/rx-0`. */
export function queueTargets(facts: HostFacts, direction: "rx" | "tx"): readonly Target[] {
  return facts.nics
    .filter((nic) => nic.isPhysical)
    .flatMap((nic) =>
      Array.from({ length: direction === "rx" ? nic.rxQueues : nic.txQueues }, (_, queue) => ({
        name: `${nic.name}/${direction}-${queue}`,
      })),
    );
}

export interface QueueTarget {
  readonly nic: string;
  readonly direction: "rx" | "tx";
  readonly queue: number;
}

/** @returns `undefined` for a name that is no queue's */
export function parseQueueTarget(target: Target): QueueTarget | undefined {
  const [, nic, direction, queue] = /^([^/]+)\/(rx|tx)-(\d+)$/.exec(target.name) ?? [];
  if (nic === undefined || direction === undefined) return undefined;
  return { nic, direction: direction === "rx" ? "rx" : "tx", queue: Number(queue) };
}

/** Path of a file of a queue. @returns `undefined` for a name that is no queue's */
export function queueFile(target: Target, name: string): string | undefined {
  const parsed = parseQueueTarget(target);
  if (parsed === undefined) return undefined;
  return `/sys/class/net/${parsed.nic}/queues/${parsed.direction}-${parsed.queue}/${name}`;
}

/**
 * Decides for the NIC of a target (its own or its queue's): one that is not in the facts, or whose virtual functions are
 * made in this run, is left.
 */
export function decideNic<V>(input: DesiredInput<V>, decide: (nic: NicFacts) => Desired<V>): Desired<V> {
  const name = parseQueueTarget(input.target)?.nic ?? input.target.name;
  const nic = input.facts.nics.find((candidate) => candidate.name === name);
  if (nic === undefined) return leave("the facts do not have this NIC");
  const wait = waitsForFunctions(nic, input.facts, input.profile);
  return wait === undefined ? decide(nic) : leave(wait);
}

/** Entries of the profile's `nics` that name this interface; a bond or bridge is named by its own name. */
export function nicEntries(nic: NicFacts, profile: HostProfile): HostProfile["nics"] {
  return profile.nics.filter(({ match }) => {
    const isNamed = match.name === nic.name;
    return (
      (nic.isPhysical || isNamed) &&
      (match.name === undefined || isNamed) &&
      (match.driver === undefined || match.driver === nic.driver) &&
      (match.pciAddress === undefined || match.pciAddress === nic.pciAddress)
    );
  });
}

/** What the profile asks of a NIC: one value, several that disagree, or nothing. */
export function askedOf<V>(values: readonly (V | undefined)[]): {
  readonly value?: V;
  readonly disagree?: string;
} {
  const distinct = [...new Set(values.filter((value) => value !== undefined))];
  if (distinct.length > 1) return { disagree: `entries of the profile disagree: ${distinct.join(" and ")}` };
  const [value] = distinct;
  return value === undefined ? {} : { value };
}

/** Counters that speak for longer rings, or that say that no setting can help. */
const LOSS_COUNTERS =
  /^(rx_missed_errors|rx_no_buffer_count|rx_fifo_errors|rx_out_of_buffer|rx_no_dma_resources|rx_dropped|tx_dropped|rx_discards)$/;

/** What a NIC has lost, and which allowances of the instance type it has exceeded; only counters that are not 0. */
export async function nicLosses(host: Host, nic: string): Promise<string | undefined> {
  const counters = await readEthtoolStatistics(host, nic);
  if (counters === undefined) return undefined;
  const text = (names: readonly string[]): string =>
    names.map((name) => `${name} ${counters.get(name) ?? 0}`).join(", ");
  const exceeded = ALLOWANCE_COUNTERS.filter((name) => (counters.get(name) ?? 0) > 0);
  const lost = [...counters].filter(([name, value]) => LOSS_COUNTERS.test(name) && value > 0);
  const lines = [
    lost.length === 0 ? `${nic} has counted no lost packet` : `${nic}: ${text(lost.map(([name]) => name))}`,
    ...(exceeded.length === 0 ? [] : [beyondHelp(text(exceeded))]),
  ];
  return lines.join("; ");
}

function beyondHelp(counters: string): string {
  return `${counters}: no setting can help, the instance type's allowance is exceeded`;
}

/**
 * The same from the facts, for a reason; "" where nothing was exceeded. Without the counts: a reason is part of the plan,
 * and a plan that was reviewed must not go stale because packets came.
 */
export function exceededText(nic: NicFacts): string {
  const counters = Object.keys(nic.exceeded);
  return counters.length === 0 ? "" : `; ${beyondHelp(counters.join(", "))}`;
}
