import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { packetCpus } from "./packet-cpus.ts";

/** Where one interrupt of a NIC belongs. `cpu` is absent for interrupts that carry no packets. */
export interface IrqAssignment {
  readonly nic: string;
  readonly action: string;
  readonly cpu?: number;
  readonly because: string;
}

/**
 * A CPU for every packet interrupt of every physical NIC. Both directions of a queue share a CPU, so that a reply's
 * completion runs where the request came in; queues go round the NIC's CPUs, and a second NIC goes on where the first
 * one stopped.
 */
export function assignIrqs(facts: HostFacts, profile: HostProfile): ReadonlyMap<number, IrqAssignment> {
  const actionOf = new Map(facts.irqs.map((irq) => [irq.irq, irq.action]));
  const nextIn = new Map<string, number>();
  const assignments = new Map<number, IrqAssignment>();
  for (const nic of facts.nics.filter((candidate) => candidate.isPhysical)) {
    const { cpus, because } = packetCpus(nic, facts, profile);
    const pool = cpus.join(",");
    const first = nextIn.get(pool) ?? 0;
    const queues = queuesOf(nic, actionOf);
    for (const [irq, queue] of queues) {
      const action = actionOf.get(irq) ?? "";
      const cpu = queue === undefined ? undefined : cpus[(first + queue) % cpus.length];
      assignments.set(
        irq,
        cpu === undefined
          ? {
              nic: nic.name,
              action,
              because:
                queue === undefined
                  ? `"${action}" of ${nic.name} carries no packets`
                  : "the facts name no CPU that is online",
            }
          : { nic: nic.name, action, cpu, because: `queue ${queue} of ${nic.name}, spread over ${because}` },
      );
    }
    nextIn.set(pool, first + new Set([...queues.values()].filter((queue) => queue !== undefined)).size);
  }
  return assignments;
}

function queuesOf(nic: NicFacts, actionOf: ReadonlyMap<number, string>): Map<number, number | undefined> {
  return new Map(
    nic.irqs.map((irq, position) => {
      const action = actionOf.get(irq);
      return [irq, action === undefined ? position : parseQueueNumber(action)];
    }),
  );
}

/**
 * The queue in an interrupt's name: "eth0-TxRx-3", "ice-eno1-TxRx-3", "virtio2-output.3", "mlx5_comp3@pci:0000:41:00.0",
 * "gve-ntfy-blk3" are 3.
 *
 * @returns `undefined` for link, mailbox, configuration and other control interrupts
 */
export function parseQueueNumber(action: string): number | undefined {
  const name = action.replace(/@pci:.*$/, "");
  const match = /(?:tx-?rx|rx-?tx|rx|tx|input|output|comp|ntfy-blk|fp|q|queue|ring)[-._]?(\d{1,4})$/i.exec(
    name,
  );
  return match?.[1] === undefined ? undefined : Number(match[1]);
}
