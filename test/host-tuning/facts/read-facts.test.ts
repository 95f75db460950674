import { readFileSync } from "node:fs";
import { beforeAll, afterAll, describe, expect, test } from "vitest";
import { hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { formatKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { describeWith } from "../../helpers/needs.ts";
import { CAPTURED_HOSTS, type UnpackedHosts, readExpected, unpackHosts } from "./captured-hosts.ts";

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
});

describe("readFacts() on this machine", () => {
  test("satisfies the contract and names the CPUs that the kernel names", async () => {
    const facts = await readFacts(openHost("/"));
    expect(hostFactsSchema.parse(facts)).toEqual(facts);
    expect(facts.cpu.onlineCpus).toBe(readFileSync("/sys/devices/system/cpu/online", "utf8").trim());
  });
});
