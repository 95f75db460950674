import { readFileSync } from "node:fs";
import path from "node:path";
import { beforeAll, afterAll, describe, expect, test } from "vitest";
import { hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { formatKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import type { Host } from "../../../host-tuning/sys/host.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { describeWith } from "../../helpers/needs.ts";
import { busyHost } from "./busy-host.ts";
import { CAPTURED_HOSTS, type UnpackedHosts, readExpected, unpackHosts } from "./captured-hosts.ts";
import { factsOf, hostFailingAt } from "./facts-of.ts";

const CAPTURED_NAMES = [
  "16em64t-4s2c2t-offlines",
  "20em64t-hybrid-1p6c2t+2ca4co1t",
  "2arm-2c",
  "32em64t-2n8c+dax+nvme+mic+dimms",
  "40intel64-2g2n4c+pcilocality",
  "48amd64-4pa2n6c-sparse",
  "64amd64-4s2n4ca2co",
  "8em64t-2s2ca2c",
  "nvidia-dgx-gb10",
];

describeWith(CAPTURED_HOSTS, "readFacts() on captured hosts", () => {
  let hosts: UnpackedHosts;
  beforeAll(() => {
    hosts = unpackHosts(CAPTURED_NAMES);
  });
  afterAll(() => hosts[Symbol.dispose]());

  test("knows every host that expected.json names", () => {
    expect(Object.keys(readExpected()).toSorted()).toEqual(CAPTURED_NAMES.toSorted());
  });

  test.each(CAPTURED_NAMES)("agrees with the independent tool on %s", async (name) => {
    const expected = readExpected()[name];
    const facts = await readFacts(openHost(hosts.rootOf(name)));
    expect(hostFactsSchema.parse(facts)).toEqual(facts);
    expect({
      packages: facts.cpu.packages,
      numaNodes: facts.numa.nodes.length,
      cores: facts.cpu.cores,
      cpus: facts.cpu.cpus.length,
      onlineCpus: facts.cpu.onlineCpus,
    }).toEqual({
      packages: expected?.packages,
      numaNodes: expected?.numaNodes,
      cores: expected?.cores,
      cpus: expected?.cpus,
      onlineCpus:
        typeof expected?.cpuIds === "string" ? expected.cpuIds : formatKernelList(expected?.cpuIds ?? []),
    });
    expect(facts.unreadable).toEqual([]);
  });

  test("places devices on the node that the firmware names or their local CPUs give away", async () => {
    const { nics, blockDevices } = await readFacts(openHost(hosts.rootOf("32em64t-2n8c+dax+nvme+mic+dimms")));
    const nodes = Object.fromEntries(nics.map(({ name, node, driver }) => [name, `${driver} ${node}`]));
    expect(nodes).toMatchObject({ eth0: "igb 0", ib0: "mlx4_core 1" });
    expect(blockDevices.find(({ name }) => name === "nvme0n1")).toMatchObject({
      kind: "nvme",
      sizeBytes: 400_088_457_216,
    });
    const other = await readFacts(openHost(hosts.rootOf("40intel64-2g2n4c+pcilocality")));
    expect(other.nics.find(({ name }) => name === "ib0")?.node).toBe(2);
    expect(other.gpus).toEqual([]);
  });

  test("keeps the ids of sparse nodes and the memory of each", async () => {
    const { numa } = await readFacts(openHost(hosts.rootOf("48amd64-4pa2n6c-sparse")));
    expect(numa.nodes.map(({ id }) => id)).toEqual([0, 1, 2, 33, 34, 45, 72, 73]);
    expect(numa.nodes.every(({ memoryBytes }) => memoryBytes > 0)).toBe(true);
  });
});

describe("readFacts() on a server with one of everything", () => {
  test("gives the golden facts", async () => {
    const facts = await factsOf(busyHost());
    expect(hostFactsSchema.parse(facts)).toEqual(facts);
    await expect(`${JSON.stringify(facts, null, 2)}\n`).toMatchFileSnapshot(
      path.resolve(import.meta.dirname, "../../golden/facts/busy-host.json"),
    );
  });

  test("gives the same facts twice", async () => {
    await using root = await createHostRoot(busyHost());
    const host = openHost(root.root);
    expect(await readFacts(host)).toEqual(await readFacts(host));
  });

  test("runs no tool and writes nothing", async () => {
    await using root = await createHostRoot(busyHost());
    const host = openHost(root.root);
    const refuse = (): never => {
      throw new Error("facts only read");
    };
    const readOnly: Host = {
      ...hostFailingAt(host, "", new Error("never read")),
      runTool: refuse,
      writeKernelFile: refuse,
      writeConfigFile: refuse,
    };
    expect(await readFacts(readOnly)).toEqual(await readFacts(host));
  });
});

describe("readFacts() on this machine", () => {
  test("satisfies the contract and names the CPUs that the kernel names", async () => {
    const facts = await readFacts(openHost("/"));
    expect(hostFactsSchema.parse(facts)).toEqual(facts);
    expect(facts.cpu.onlineCpus).toBe(readFileSync("/sys/devices/system/cpu/online", "utf8").trim());
  });
});
