import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HostFacts, IrqFacts } from "../../../host-tuning/facts/host-facts.ts";
import { assignIrqs, parseQueueNumber } from "../../../host-tuning/knobs/irq-assignment.ts";
import { irqSmpAffinityList as knob } from "../../../host-tuning/knobs/irq-smp-affinity-list.ts";
import { packetCpus } from "../../../host-tuning/knobs/packet-cpus.ts";
import type { HostProfile } from "../../../host-tuning/profile/host-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import {
  arbitraryFacts,
  arbitraryProfile,
  factsOfShape,
  sampleNic,
  sampleProfile,
} from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

function irq(number: number, action: string, isManaged: boolean | null = false): IrqFacts {
  return {
    irq: number,
    action,
    pciAddress: null,
    node: null,
    isManaged,
    affinity: null,
    effectiveAffinity: null,
  };
}

/** A host of 16 CPUs, siblings adjacent; its NIC is on node 1, which has CPUs 8-15. */
function facts(
  irqs: readonly IrqFacts[],
  nics = [sampleNic({ irqs: irqs.map((one) => one.irq) })],
): HostFacts {
  return { ...factsOfShape(), nics, irqs: [...irqs] };
}

function decide(host: HostFacts, number: number, profile: HostProfile = sampleProfile()) {
  return knob.desired({ facts: host, profile, current: "0", target: { name: `irq ${number}` } });
}

describe("parseQueueNumber()", () => {
  it.each([
    ["eth0-TxRx-3", 3],
    ["ice-eno1-TxRx-12", 12],
    ["i40e-ens1f0np0-TxRx-0", 0],
    ["eth1-rx-0", 0],
    ["eth1-tx-0", 0],
    ["eth0-Tx-Rx-7", 7],
    ["virtio2-input.0", 0],
    ["virtio2-output.5", 5],
    ["mlx5_comp3@pci:0000:41:00.0", 3],
    ["gve-ntfy-blk9@pci:0000:00:04.0", 9],
    ["virtio2-config", undefined],
    ["mlx5_async0@pci:0000:41:00.0", undefined],
    ["ena-mgmnt@pci:0000:00:05.0", undefined],
    ["ice-0000:81:00.0:misc", undefined],
    ["eth0", undefined],
    ["enp3s0f1", undefined],
  ])("finds the queue of %s", (action, queue) => {
    expect(parseQueueNumber(action)).toBe(queue);
  });
});

describe("irq/smp_affinity_list", () => {
  it("gives each queue a CPU of the NIC's node, one thread of each core first", () => {
    const host = facts(Array.from({ length: 6 }, (_, queue) => irq(60 + queue, `ice-eno1-TxRx-${queue}`)));
    const cpus = host.irqs.map((one) => assignIrqs(host, sampleProfile()).get(one.irq)?.cpu);
    expect(cpus).toEqual([8, 10, 12, 14, 9, 11]);
  });

  it("keeps both directions of a queue on one CPU", () => {
    const host = facts([
      irq(37, "virtio2-config"),
      irq(38, "virtio2-input.0"),
      irq(39, "virtio2-output.0"),
      irq(40, "virtio2-input.1"),
      irq(41, "virtio2-output.1"),
    ]);
    const cpus = host.irqs.map((one) => assignIrqs(host, sampleProfile()).get(one.irq)?.cpu);
    expect(cpus).toEqual([undefined, 8, 8, 10, 10]);
  });

  it("goes on with a second NIC of the node where the first one stopped", () => {
    const irqs = [irq(1, "a-TxRx-0"), irq(2, "a-TxRx-1"), irq(3, "b-TxRx-0")];
    const nics = [sampleNic({ name: "a", irqs: [1, 2] }), sampleNic({ name: "b", irqs: [3] })];
    const assigned = assignIrqs(facts(irqs, nics), sampleProfile());
    expect([1, 2, 3].map((one) => assigned.get(one)?.cpu)).toEqual([8, 10, 12]);
  });

  it("sends them to the reserved CPUs where the profile names some, those of the node first", () => {
    const host = facts([irq(1, "a-TxRx-0"), irq(2, "a-TxRx-1")]);
    const both = sampleProfile({ cpu: { reserved: "0-1,8-9" } });
    expect([decide(host, 1, both), decide(host, 2, both)]).toMatchObject([{ value: "8" }, { value: "9" }]);
    const far = sampleProfile({ cpu: { reserved: "0" } });
    expect(decide(host, 2, far)).toMatchObject({ value: "0" });
  });

  it("keeps off isolated CPUs", () => {
    const base = facts([irq(1, "a-TxRx-0")]);
    const host = { ...base, cpu: { ...base.cpu, isolatedCpus: "8-13" } };
    expect(decide(host, 1)).toMatchObject({ value: "14" });
  });

  it("leaves what the kernel manages and what carries no packets", () => {
    const host = facts([irq(1, "a-TxRx-0", true), irq(2, "a")]);
    expect(decide(host, 1)).toEqual({
      kind: "leave",
      because: '"a-TxRx-0" is managed: the kernel owns its affinity',
    });
    expect(decide(host, 2)).toEqual({ kind: "leave", because: '"a" of eno1 carries no packets' });
  });

  it("pins although irqbalance runs, which is told so, and leaves all to it where it is not", () => {
    const ownership: HostFacts["ownership"] = [
      {
        owner: "irqbalance",
        key: "irq.affinity",
        source: "irqbalance.service",
        value: null,
        hold: "always",
      },
    ];
    const balanced = { ...facts([irq(1, "a-TxRx-0")]), ownership };
    expect(decide(balanced, 1)).toMatchObject({ kind: "set", value: "8" });
    expect(decide({ ...balanced, initSystem: "other" }, 1).because).toMatch(
      /^irqbalance runs \(irqbalance\.service\).*systemd does not start it/,
    );
    const untold = sampleProfile({
      overrides: { "irqbalance.IRQBALANCE_ARGS": { leave: true, because: "ours" } },
    });
    expect(decide(balanced, 1, untold).because).toMatch(/the profile has it so: ours/);
  });

  it("shows the interrupts that the kernel manages as one line for each disk, and never writes them", async () => {
    const nvme = ["nvme0q0", "nvme0q1", "nvme0q2", "nvme1q1", "virtio3-req.0"].map((action, index) =>
      irq(40 + index, action, action !== "nvme0q0"),
    );
    const host = facts([irq(1, "a-TxRx-0"), ...nvme], [sampleNic({ irqs: [1] })]);
    const targets = knob.targets?.(host, sampleProfile()) ?? [];
    expect(targets.map(({ name }) => name)).toEqual([
      "irq 1",
      "nvme0 irqs 41-42",
      "nvme1 irqs 43",
      "virtio3 irqs 44",
    ]);
    await using root = await createHostRoot({
      "/proc/irq/41/effective_affinity_list": "0\n",
      "/proc/irq/41/smp_affinity_list": "0-1\n",
      "/proc/irq/42/effective_affinity_list": "\n",
      "/proc/irq/42/smp_affinity_list": "2-3\n",
    });
    const [, target = { name: "" }] = targets;
    const current = await knob.read(openHost(root.root), target);
    expect(current).toBe("0,2-3");
    const decided = knob.desired({ facts: host, profile: sampleProfile(), current, target });
    expect(decided).toMatchObject({
      kind: "leave",
      because: expect.stringContaining("CPUs 0,2-3 by itself"),
    });
    expect(knob.writes("1", target, current)).toEqual([]);
  });

  it("waits for the virtual functions that this run makes", () => {
    const profile = sampleProfile({ sriov: [{ match: { driver: "ice" }, virtualFunctions: 4 }] });
    expect(decide(facts([irq(1, "a-TxRx-0")]), 1, profile).because).toMatch(/^making 4 virtual functions/);
  });

  it("puts every queue on a CPU that takes packets, none with two queues more than another", () => {
    fc.assert(
      fc.property(
        arbitraryFacts,
        arbitraryProfile,
        fc.integer({ min: 1, max: 64 }),
        (host, profile, queues) => {
          const irqs = Array.from({ length: queues }, (_, queue) => irq(100 + queue, `eth0-TxRx-${queue}`));
          const nic = sampleNic({ irqs: irqs.map((one) => one.irq), node: 0 });
          const one = { ...host, nics: [nic], irqs };
          const pool = packetCpus(nic, one, profile).cpus;
          const loads = new Map(pool.map((cpu) => [cpu, 0]));
          for (const { cpu } of assignIrqs(one, profile).values()) {
            expect(pool).toContain(cpu);
            if (cpu !== undefined) loads.set(cpu, (loads.get(cpu) ?? 0) + 1);
          }
          expect(Math.max(...loads.values()) - Math.min(...loads.values())).toBeLessThanOrEqual(1);
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("irq/smp_affinity_list read()", () => {
  const target = { name: "irq 44" };

  async function readOf(files: Readonly<Record<string, string>>): Promise<unknown> {
    await using root = await createHostRoot(
      Object.fromEntries(Object.entries(files).map(([name, text]) => [`/proc/irq/44/${name}`, text])),
    );
    return await knob.read(openHost(root.root), target);
  }

  it("gives the CPU in force, which is one of those asked for", async () => {
    expect(await readOf({ smp_affinity_list: "0-15\n", effective_affinity_list: "5\n" })).toBe("5");
  });

  it("gives what was asked for while the move waits for the next interrupt", async () => {
    expect(await readOf({ smp_affinity_list: "3\n", effective_affinity_list: "5\n" })).toBe("3");
  });

  it("gives what was asked for where nothing is in force or the kernel does not say", async () => {
    expect(await readOf({ smp_affinity_list: "3\n", effective_affinity_list: "\n" })).toBe("3");
    expect(await readOf({ smp_affinity_list: "3\n" })).toBe("3");
  });

  it("fails on what is no CPU list", async () => {
    await expect(readOf({ smp_affinity_list: "three\n" })).rejects.toThrow(/Cannot read .*holds "three"/);
  });

  it("is satisfied by a part of the wanted CPUs, and by nothing else", () => {
    expect(knob.isSatisfied?.("5", "4-7")).toBe(true);
    expect(knob.isSatisfied?.("4-7", "4-7")).toBe(true);
    expect(knob.isSatisfied?.("5,8", "4-7")).toBe(false);
    expect(knob.isSatisfied?.("", "4-7")).toBe(false);
  });
});
