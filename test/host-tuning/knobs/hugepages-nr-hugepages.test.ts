import { describe, expect, it } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { hugepagesNrHugepages as knob } from "../../../host-tuning/knobs/hugepages-nr-hugepages.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";

const GIB = 1024 ** 3;
const NODE0 = { name: "node0/hugepages-2048kB" };

function decide(facts: HostFacts, perNode: number, current = 0, allowLowering = false) {
  const profile = sampleProfile({ hugepages: { perNode }, allowLowering });
  return knob.desired({ facts, profile, current, target: NODE0 });
}

describe("hugepages/nr_hugepages", () => {
  it("acts on every node that has memory, for the profile's size", () => {
    const facts = factsOfShape({ nodes: 3 });
    const [first, ...others] = facts.numa.nodes;
    const memoryless = {
      ...facts,
      numa: { nodes: [first, ...others.map((n) => ({ ...n, memoryBytes: 0 }))] },
    };
    const profile = sampleProfile({ hugepages: { sizeKiB: 1_048_576, perNode: 1 } });
    expect(knob.targets?.(facts, profile).map((target) => target.name)).toEqual([
      "node0/hugepages-1048576kB",
      "node1/hugepages-1048576kB",
      "node2/hugepages-1048576kB",
    ]);
    expect(knob.targets?.(memoryless as HostFacts, profile)).toEqual([{ name: "node0/hugepages-1048576kB" }]);
  });

  it("takes the host's own file where nodes have none", async () => {
    const facts = factsOfShape({ nodes: 1 });
    const nodes = facts.numa.nodes.map((node) => ({ ...node, hugepages: [] }));
    const [target] = knob.targets?.({ ...facts, numa: { nodes } }, sampleProfile()) ?? [];
    expect(target).toEqual({ name: "hugepages-2048kB" });
    await using root = await createHostRoot({
      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "7\n",
    });
    expect(target && (await knob.read(openHost(root.root), target))).toBe(7);
  });

  it("leaves the host alone when the profile asks for none", () => {
    expect(decide(factsOfShape(), 0).kind).toBe("leave");
  });

  it("sets what the profile asks for and never takes pages away by itself", () => {
    expect(decide(factsOfShape(), 128)).toMatchObject({ kind: "set", value: 128 });
    expect(decide(factsOfShape(), 128, 200)).toMatchObject({ kind: "leave" });
    expect(decide(factsOfShape(), 128, 200, true)).toMatchObject({ kind: "set", value: 128 });
  });

  it("refuses more than nine tenths of the node's memory, and says the figures", () => {
    const facts = factsOfShape({ nodes: 2, memoryBytes: 2 * GIB });
    expect(decide(facts, 460)).toMatchObject({ kind: "set", value: 460 });
    expect(decide(facts, 461)).toEqual({
      kind: "leave",
      because: "refused: 461 pages of 2048 KiB are 922 MiB, more than 90 % of the 1024 MiB there",
    });
  });

  it("writes the node's file, and reads the number back", async () => {
    await using root = await createHostRoot(stockHost());
    const host = openHost(root.root);
    const [write] = knob.writes(64, NODE0, 0);
    expect(write).toEqual({
      kind: "kernel-file",
      path: "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages",
      text: "64\n",
      retrySeconds: 10,
    });
    await root.write("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "40\n");
    expect(await knob.read(host, NODE0)).toBe(40);
  });

  it("fails on a shortfall, and says how many pages there were and how much memory is free", async () => {
    await using root = await createHostRoot(stockHost());
    const live = openHost(root.root);
    const short = Object.assign(openHost(root.root), {
      writeKernelFile: (path: string) => live.writeKernelFile(path, "40\n"),
    });
    const profile = sampleProfile({ hugepages: { perNode: 64 } });
    const facts = factsOfShape({ nodes: 1 });
    const report = await applyPlan({ host: short, facts, profile, knobs: [knob], phase: "all" });
    expect(report.entries).toMatchObject([
      {
        key: "hugepages/nr_hugepages[node0/hugepages-2048kB]",
        outcome: "failed",
        found: "40",
        because:
          'Cannot set hugepages/nr_hugepages of node0/hugepages-2048kB to 64 pages: the host holds "40" after the write; the kernel found only 40 of 64 pages: memory is fragmented or in use; ask earlier in the boot, or with hugepages= on the kernel command line; node 0 has 31791 MiB free',
      },
    ]);
  });

  it("writes again while the kernel still finds pages, and stops when it finds no more", async () => {
    await using root = await createHostRoot(stockHost());
    const live = openHost(root.root);
    const found = [20, 40, 64];
    let writes = 0;
    const compacting = Object.assign(openHost(root.root), {
      writeKernelFile: (path: string) => live.writeKernelFile(path, `${found[Math.min(writes++, 2)]}\n`),
    });
    const profile = sampleProfile({ hugepages: { perNode: 64 } });
    const facts = factsOfShape({ nodes: 1 });
    const input = { facts, profile, knobs: [knob], phase: "all" } as const;
    const report = await applyPlan({ host: compacting, ...input });
    expect(report.entries).toMatchObject([{ outcome: "changed", found: "64" }]);
    expect(writes).toBe(3);

    writes = 0;
    found.splice(0, 3, 20, 40, 40);
    await root.write("/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages", "0\n");
    const short = await applyPlan({ host: compacting, ...input });
    expect(short.entries).toMatchObject([{ outcome: "failed", found: "40" }]);
    expect(writes).toBe(5);
  });
});
