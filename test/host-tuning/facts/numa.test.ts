import { describe, expect, test } from "vitest";
import { parseMemInfo } from "../../../host-tuning/facts/memory.ts";
import { parseDistances } from "../../../host-tuning/facts/numa.ts";
import { cpuTree, factsOf } from "./facts-of.ts";

const NODES = "/sys/devices/system/node";
const CPUS = cpuTree([
  { package: 0, core: 0, siblings: "0" },
  { package: 0, core: 1, siblings: "1" },
]);

describe("readNumaNodes()", () => {
  test("a host without NUMA has one node with all CPUs, memory and hugepages", async () => {
    const { numa, cpu } = await factsOf({
      ...CPUS,
      "/proc/meminfo": "MemTotal:        1024 kB\nSwapTotal:       2 kB\n",
      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "7\n",
    });
    expect(numa.nodes).toEqual([
      {
        id: 0,
        cpus: "0-1",
        memoryBytes: 1024 * 1024,
        distances: [10],
        hugepages: [{ sizeKiB: 2048, total: 7 }],
      },
    ]);
    expect(cpu.cpus.map(({ node }) => node)).toEqual([0, 0]);
  });

  test("keeps ids with gaps, a node with memory alone, and drops CPUs that are offline", async () => {
    const { numa, cpu, memory } = await factsOf({
      ...CPUS,
      [`${NODES}/node0/cpulist`]: "0-1,5\n",
      [`${NODES}/node0/meminfo`]: "Node 0 MemTotal:        1000 kB\n",
      [`${NODES}/node0/distance`]: "10 17\n",
      [`${NODES}/node33/cpulist`]: "\n",
      [`${NODES}/node33/meminfo`]: "Node 33 MemTotal:       500 kB\nNode 33 HugePages_Total:     3\n",
      [`${NODES}/node33/distance`]: "17 10\n",
      [`${NODES}/possible`]: "0-63\n",
    });
    expect(numa.nodes.map(({ id, cpus, memoryBytes }) => [id, cpus, memoryBytes])).toEqual([
      [0, "0-1", 1_024_000],
      [33, "", 512_000],
    ]);
    expect(cpu.cpus.map(({ node }) => node)).toEqual([0, 0]);
    // No /proc/meminfo in this tree.
    expect(memory.totalBytes).toBe(1_536_000);
  });

  test("names a CPU that no node lists and does not guess its node", async () => {
    const { cpu, unreadable } = await factsOf({
      ...CPUS,
      [`${NODES}/node0/cpulist`]: "0\n",
      [`${NODES}/node0/meminfo`]: "Node 0 MemTotal: 1 kB\n",
    });
    expect(cpu.cpus.map(({ node }) => node)).toEqual([0, -1]);
    expect(unreadable).toContainEqual({ path: NODES, because: "No node lists CPU 1: its node is -1" });
  });

  test("orders hugepage sizes and passes over other folders", async () => {
    const { numa, memory } = await factsOf({
      ...CPUS,
      [`${NODES}/node0/cpulist`]: "0-1\n",
      [`${NODES}/node0/hugepages/hugepages-1048576kB/nr_hugepages`]: "1\n",
      [`${NODES}/node0/hugepages/hugepages-2048kB/nr_hugepages`]: "512\n",
      [`${NODES}/node0/hugepages/other/nr_hugepages`]: "9\n",
      "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages": "1\n",
      "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages": "512\n",
    });
    expect(numa.nodes[0]?.hugepages).toEqual([
      { sizeKiB: 2048, total: 512 },
      { sizeKiB: 1_048_576, total: 1 },
    ]);
    expect(memory.hugepageSizesKiB).toEqual([2048, 1_048_576]);
  });
});

describe("parseDistances()", () => {
  test.each([
    ["10 21\n", [10, 21]],
    [" 10\t20  30 ", [10, 20, 30]],
    ["10 x", undefined],
    ["10 -1", undefined],
    ["", undefined],
  ])("reads %j", (text, expected) => {
    expect(parseDistances(text)).toEqual(expected);
  });
});

describe("parseMemInfo()", () => {
  test("reads a host's and a node's form, with and without unit, and leaves what no machine has", () => {
    const values = parseMemInfo(
      "MemTotal:       16 kB\nNode 3 Active(anon):  4 kB\nHugePages_Total:    2\nHuge: 9000000000000000 kB\njunk\n",
    );
    expect(Object.fromEntries(values)).toEqual({ MemTotal: 16, "Active(anon)": 4, HugePages_Total: 2 });
  });
});
