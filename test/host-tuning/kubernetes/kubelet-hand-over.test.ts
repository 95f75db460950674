import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { kubeletKubeletConfiguration } from "../../../host-tuning/knobs/kubelet-kubelet-configuration.ts";
import { type KubeletConfig, kubeletConfigSchema } from "../../../host-tuning/kubernetes/kubelet-config.ts";
import { parseKubeletFile, renderKubeletFile } from "../../../host-tuning/kubernetes/kubelet-file.ts";
import { kubeletHandOver } from "../../../host-tuning/kubernetes/kubelet-hand-over.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { parseKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import { GIB } from "../../helpers/decide.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { describeWith } from "../../helpers/needs.ts";
import { CAPTURED_HOSTS, type UnpackedHosts, readExpected, unpackHosts } from "../facts/captured-hosts.ts";

const STRICT = sampleProfile({
  service: { runtime: "kubernetes" },
  kubernetes: { kubeletHandOver: "nodeadm", topologyManagerPolicy: "single-numa-node" },
});

function configFor(facts: HostFacts, profile = STRICT): KubeletConfig {
  const handOver = kubeletHandOver(facts, profile);
  if (handOver.kind === "none") throw new Error(handOver.because);
  return handOver.config;
}

function mebibytes(text: string): number {
  expect(text).toMatch(/^\d+Mi$/);
  return Number(text.slice(0, -2));
}

/** What the kubelet checks at its start, done here a second time and in another way. */
function expectKubeletStarts(config: KubeletConfig, facts: HostFacts): void {
  const online = new Set(parseKernelList(facts.cpu.onlineCpus));
  const reserved = parseKernelList(config.reservedSystemCPUs) ?? [];
  expect(reserved.length).toBeGreaterThan(0);
  expect(reserved.filter((cpu) => !online.has(cpu))).toEqual([]);
  expect(reserved.length).toBeLessThan(online.size);
  // Whole cores: with full-pcpus-only the sibling of a reserved CPU would be nobody's.
  for (const { id, siblings } of facts.cpu.cpus) {
    if (!reserved.includes(id)) continue;
    const others = (parseKernelList(siblings) ?? []).filter((cpu) => online.has(cpu));
    expect(reserved).toEqual(expect.arrayContaining(others));
  }
  if (config.memoryManagerPolicy === "None") return;
  const perNode = new Map(
    config.reservedMemory?.map(({ numaNode, limits }) => [numaNode, mebibytes(limits.memory)]),
  );
  const sum = [...perNode.values()].reduce((total, share) => total + share, 0);
  expect(sum).toBe(
    mebibytes(config.kubeReserved.memory) +
      mebibytes(config.systemReserved.memory) +
      mebibytes(config.evictionHard["memory.available"]),
  );
  for (const [node, share] of perNode) {
    const memory = facts.numa.nodes.find(({ id }) => id === node)?.memoryBytes ?? 0;
    expect(share * 1024 * 1024).toBeLessThan(memory);
  }
}

describe("kubeletHandOver()", () => {
  it("reserves a whole core of 16, with what EKS keeps for pods and 1/64 of memory for the system", () => {
    const config = configFor(factsOfShape({ cpus: 32, nodes: 2, threadsPerCore: 2, memoryBytes: 64 * GIB }));
    expect(config).toMatchObject({
      reservedSystemCPUs: "0-1",
      cpuManagerPolicy: "static",
      cpuManagerPolicyOptions: { "full-pcpus-only": "true" },
      topologyManagerPolicy: "single-numa-node",
      memoryManagerPolicy: "Static",
      kubeReserved: { memory: `${255 + 11 * 250}Mi` },
      systemReserved: { memory: "1024Mi" },
      // 3005 + 1024 + 100 = 4129, which does not divide by 2.
      reservedMemory: [
        { numaNode: 0, limits: { memory: "2065Mi" } },
        { numaNode: 1, limits: { memory: "2064Mi" } },
      ],
    });
  });

  it("takes the reserved cores from the nodes by turns", () => {
    const config = configFor(factsOfShape({ cpus: 64, nodes: 2, threadsPerCore: 1, memoryBytes: 64 * GIB }));
    expect(config.reservedSystemCPUs).toBe("0-1,32-33");
    expect(config).not.toHaveProperty("cpuManagerPolicyOptions");
  });

  it("takes the CPUs that the profile reserves instead", () => {
    const profile = sampleProfile({ ...STRICT, cpu: { reserved: "0,4" } });
    expect(configFor(factsOfShape(), profile).reservedSystemCPUs).toBe("0,4");
  });

  it("binds memory only where the topology policy turns pods away that do not fit a node", () => {
    const loose = sampleProfile({ kubernetes: { topologyManagerPolicy: "best-effort" } });
    expect(configFor(factsOfShape(), loose)).toMatchObject({ memoryManagerPolicy: "None" });
    expect(configFor(factsOfShape(), loose)).not.toHaveProperty("reservedMemory");
    expect(configFor(factsOfShape({ nodes: 1 }))).toMatchObject({ memoryManagerPolicy: "None" });
  });

  it("turns the topology manager off beyond the 8 nodes that it takes", () => {
    const config = configFor(factsOfShape({ cpus: 128, nodes: 16, memoryBytes: 1024 * GIB }));
    expect(config).toMatchObject({ topologyManagerPolicy: "none", memoryManagerPolicy: "None" });
  });

  it("allows the sysctls that a pod needs and may not have by itself", () => {
    expect(configFor(factsOfShape()).allowedUnsafeSysctls).toContain("net.ipv4.tcp_retries2");
    expect(configFor(factsOfShape()).allowedUnsafeSysctls).not.toContain("net.ipv4.ip_local_port_range");
  });

  it.each([
    ["one CPU", { cpus: 1, nodes: 1, threadsPerCore: 1 as const, nicNode: 0 }],
    ["one core", { cpus: 2, nodes: 1, nicNode: 0 }],
    ["2 GiB", { memoryBytes: 2 * GIB }],
  ])("leaves a host of %s whole", (_, shape) => {
    expect(kubeletHandOver(factsOfShape(shape), STRICT)).toMatchObject({ kind: "none" });
  });

  it("gives what the kubelet starts with on hosts of many shapes", () => {
    for (const nodes of [1, 2, 3, 8])
      for (const cpus of [8, 96, 384])
        for (const memoryBytes of [17 * GIB + 12_345_678, 3 * 1024 * GIB]) {
          const facts = factsOfShape({ cpus, nodes, memoryBytes });
          expectKubeletStarts(configFor(facts), facts);
        }
  });
});

describe("kubeletConfigSchema", () => {
  const good = configFor(factsOfShape());

  it("refuses sums with which the kubelet would not start, and says both", () => {
    const result = kubeletConfigSchema.safeParse({ ...good, systemReserved: { memory: "1Mi" } });
    expect(result.error?.issues[0]?.message).toMatch(/adds up to 2589 MiB, and has to be the 1566 MiB/);
  });

  it.each([
    ["no reserved CPU", { reservedSystemCPUs: "" }],
    ["a field that the kubelet does not have", { cpuManagerPolicyOption: {} }],
    ["memory by node without its manager", { memoryManagerPolicy: "None" }],
    ["a sysctl of the host", { allowedUnsafeSysctls: ["vm.swappiness"] }],
    ["a cgroup beside reserved CPUs", { kubeReservedCgroup: "/runtime" }],
  ])("refuses %s", (_, part) => {
    expect(kubeletConfigSchema.safeParse({ ...good, ...part }).success).toBe(false);
  });

  it("comes back from both kinds of file as it was", () => {
    expect(parseKubeletFile(renderKubeletFile(good, "nodeadm"))).toEqual({ config: good });
    expect(parseKubeletFile(renderKubeletFile(good, "kubelet-drop-in"))).toEqual({ config: good });
    expect(renderKubeletFile(good, "nodeadm")).toContain("kind: NodeConfig");
    expect(parseKubeletFile("a: [")).toHaveProperty("faults");
    expect(parseKubeletFile("kind: NodeConfig\n")).toHaveProperty("faults");
  });
});

describe("kubelet.KubeletConfiguration", () => {
  const [target] = kubeletKubeletConfiguration.targets?.(factsOfShape(), STRICT) ?? [];
  const decide = (kubelet: HostFacts["kubelet"], current: string) =>
    kubeletKubeletConfiguration.desired({
      facts: { ...factsOfShape(), kubelet },
      profile: STRICT,
      current,
      target: target ?? { name: "" },
    });
  const fresh = { cpuManagerPolicy: null, memoryManagerPolicy: null };

  it("writes on a node on which no kubelet has run, and one that ran with the same policies", () => {
    expect(decide(fresh, "")).toMatchObject({ kind: "set" });
    expect(decide({ cpuManagerPolicy: "static", memoryManagerPolicy: "Static" }, "")).toMatchObject({
      kind: "set",
    });
  });

  it("never writes under pods that hold CPUs by another policy, and says what to do", () => {
    const { kind, because } = decide({ cpuManagerPolicy: "none", memoryManagerPolicy: "None" }, "");
    expect(kind).toBe("leave");
    expect(because).toContain("drain the node");
    expect(because).toContain("cpu_manager_state (none, wanted static)");
  });

  it("stays in force where its own file is there and the kubelet has not started since", () => {
    const set = decide(fresh, "");
    if (set.kind === "leave") throw new Error(set.because);
    expect(decide({ cpuManagerPolicy: "none", memoryManagerPolicy: null }, String(set.value))).toEqual(set);
  });

  it("goes where the profile and the distribution say, and nowhere without a word", () => {
    const facts = factsOfShape();
    const amazon = {
      ...facts,
      distribution: { id: "amzn", idLike: [], versionId: "2023", prettyName: null },
    };
    const pathOn = (on: HostFacts, kubeletHandOver: "none" | "nodeadm" | "kubelet-drop-in") =>
      kubeletKubeletConfiguration
        .targets?.(on, sampleProfile({ kubernetes: { kubeletHandOver } }))
        .map(({ name }) => name);
    expect(pathOn(facts, "none")).toEqual([]);
    expect(pathOn(facts, "nodeadm")).toEqual(["/etc/eks/nodeadm.d/50-bedplate.yaml"]);
    expect(pathOn(facts, "kubelet-drop-in")).toEqual(["/etc/kubernetes/kubelet.conf.d/50-bedplate.conf"]);
    expect(pathOn(amazon, "kubelet-drop-in")).toEqual([
      "/etc/kubernetes/kubelet/config.json.d/50-bedplate.conf",
    ]);
  });

  it("reads the kubelet's checkpoints from the host, and notes a broken one", async () => {
    await using host = await createHostRoot({
      "/var/lib/kubelet/cpu_manager_state":
        '{"policyName":"static","defaultCpuSet":"2-15","checksum":1353318690}',
      "/var/lib/kubelet/memory_manager_state": "{",
    });
    const facts = await readFacts(openHost(host.root));
    expect(facts.kubelet).toEqual({ cpuManagerPolicy: "static", memoryManagerPolicy: null });
    expect(facts.unreadable.map(({ path }) => path)).toContain("/var/lib/kubelet/memory_manager_state");
  });
});

describeWith(CAPTURED_HOSTS, "kubeletHandOver() on captured hosts", () => {
  const names = Object.keys(readExpectedSafely());
  let hosts: UnpackedHosts;

  beforeAll(() => {
    hosts = unpackHosts(names);
  }, 120_000);

  afterAll(() => hosts?.[Symbol.dispose]());

  it.each(names)("%s: the kubelet would start, or the host is left whole with the reason", async (name) => {
    const facts = await readFacts(openHost(hosts.rootOf(name)));
    const handOver = kubeletHandOver(facts, STRICT);
    if (handOver.kind === "none") {
      expect(handOver.because).toMatch(/too few|over half/);
      return;
    }
    expect(kubeletConfigSchema.parse(handOver.config)).toEqual(handOver.config);
    expectKubeletStarts(handOver.config, facts);
  });
});

/** Names are needed before it is known whether the captured hosts are there. */
function readExpectedSafely(): Record<string, unknown> {
  return CAPTURED_HOSTS.every((part) => part.isThere()) ? readExpected() : {};
}
