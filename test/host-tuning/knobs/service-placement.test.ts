import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { kernelNumaBalancing } from "../../../host-tuning/knobs/kernel-numa-balancing.ts";
import { placeService } from "../../../host-tuning/knobs/service-placement.ts";
import { systemdAllowedCpus } from "../../../host-tuning/knobs/systemd-allowed-cpus.ts";
import { systemdNumapolicy } from "../../../host-tuning/knobs/systemd-numapolicy.ts";
import { parseKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { arbitraryFacts, arbitraryProfile, factsOfShape, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";

const ALL = "0-15";
const UNIT = { name: "mcp-service.service" };

describe("systemd.AllowedCPUs desired()", () => {
  it("are the CPUs of the network card's node", () => {
    expect(decide(systemdAllowedCpus, { current: ALL })).toEqual({
      kind: "set",
      value: "8-15",
      because: "eno1 is on node 1",
    });
  });

  it("never include reserved or isolated CPUs", () => {
    const facts = factsOfShape();
    const isolating = { ...facts, cpu: { ...facts.cpu, isolatedCpus: "14-15" } };
    const profile = { cpu: { reserved: "0,8" } };
    expect(valueSet(systemdAllowedCpus, { current: ALL, facts: isolating, profile })).toBe("9-13");
  });

  it("are those that the profile isolates at boot, before and after the reboot", () => {
    const profile = { service: { numaNode: "none" }, cpu: { isolation: "boot", reserved: "0,1" } } as const;
    const facts = factsOfShape({ cpus: 8, nodes: 2, threadsPerCore: 2 });
    const booted = { ...facts, cpu: { ...facts.cpu, isolatedCpus: "2-7" } };
    expect(valueSet(systemdAllowedCpus, { facts, profile, current: "0-7" })).toBe("2-7");
    expect(valueSet(systemdAllowedCpus, { facts: booted, profile, current: "0-7" })).toBe("2-7");
  });

  it("are left on a host with one node, and without the reserved ones where there are such", () => {
    const shape = { nodes: 1, nicNode: null };
    expect(decide(systemdAllowedCpus, { current: ALL, shape }).because).toBe(
      "all CPUs: this host has one NUMA node",
    );
    expect(valueSet(systemdAllowedCpus, { current: ALL, shape, profile: { cpu: { reserved: "0" } } })).toBe(
      "1-15",
    );
  });

  it("are those of the node that the profile names", () => {
    expect(valueSet(systemdAllowedCpus, { current: ALL, profile: { service: { numaNode: 0 } } })).toBe("0-7");
    const gone = { current: ALL, profile: { service: { numaNode: 5 } } };
    expect(decide(systemdAllowedCpus, gone).because).toContain("this host has no CPUs on it");
  });

  it.each([
    ["the profile binds to no node", { service: { numaNode: "none" as const } }],
    ["preset throughput", { preset: "throughput" as const }],
    ["do not fit node 1", { service: { memoryBytes: 60 * GIB } }],
    ["Kubernetes places the pods", { service: { runtime: "kubernetes" as const } }],
    ["every CPU is reserved", { service: { numaNode: "none" as const }, cpu: { reserved: "0-15" } }],
  ])("are left: %s", (because, profile) => {
    const desired = decide(systemdAllowedCpus, { current: ALL, profile });
    expect(desired.kind).toBe("leave");
    expect(desired.because.replace("the service to no", "to no")).toContain(because);
  });

  it("are left when the card names no node", () => {
    const desired = decide(systemdAllowedCpus, { current: ALL, shape: { nicNode: null } });
    expect(desired.because).toBe("all CPUs: eno1 names no node to be near");
  });
});

describe("placeService()", () => {
  it("never places a service on no CPU, a kept CPU or one that is offline", () => {
    fc.assert(
      fc.property(arbitraryFacts, arbitraryProfile, (facts, profile) => {
        const placement = placeService(facts, profile);
        if (placement.kind === "everywhere") return;
        const online = new Set(parseKernelList(facts.cpu.onlineCpus));
        const kept = new Set([
          ...(parseKernelList(profile.cpu.reserved ?? "") ?? []),
          ...(parseKernelList(facts.cpu.isolatedCpus) ?? []),
        ]);
        expect(placement.cpus.length).toBeGreaterThan(0);
        expect(placement.cpus.every((cpu) => online.has(cpu) && !kept.has(cpu))).toBe(true);
      }),
    );
  });
});

describe("systemd.NUMAPolicy", () => {
  it("prefers the node when the service's memory is not known, and binds when it fits", () => {
    expect(valueSet(systemdNumapolicy, { current: "default" })).toBe("preferred:1");
    const fitting = { service: { memoryBytes: 8 * GIB } };
    expect(valueSet(systemdNumapolicy, { current: "default", profile: fitting })).toBe("bind:1");
  });

  it("never binds to a node that the service does not fit, even where the profile names it", () => {
    const large = { service: { numaNode: 0 as const, memoryBytes: 60 * GIB } };
    expect(valueSet(systemdNumapolicy, { current: "default", profile: large })).toBe("preferred:0");
  });

  it("is left where the service is bound to no node", () => {
    expect(valueSet(systemdNumapolicy, { current: "default", shape: { nodes: 1 } })).toBeUndefined();
  });

  it("reads the policy of the running process in systemd's words", async () => {
    await using host = await createHostRoot(stockHost());
    const tree = openHost(host.root);
    expect(await systemdNumapolicy.read(tree, UNIT)).toBe("default");
    await host.write("/proc/4242/numa_maps", "55d0c0a00000 prefer:1 file=/usr/bin/node mapped=10 N1=10\n");
    expect(await systemdNumapolicy.read(tree, UNIT)).toBe("preferred:1, default after a restart");
    await host.write("/proc/4242/numa_maps", "55d0c0a00000 bind=static:0-1 file=/usr/bin/node mapped=10\n");
    expect(await systemdNumapolicy.read(tree, UNIT)).toBe("bind:0-1, default after a restart");
  });

  it("writes policy and mask as systemd wants them", () => {
    expect(systemdNumapolicy.writes("preferred:1", UNIT, "default")).toEqual([
      {
        kind: "config-file",
        path: "/etc/systemd/system/mcp-service.service.d/50-bedplate-numa-policy.conf",
        text: "# Written by bedplate, taken back by bedplate rollback.\n[Service]\nNUMAPolicy=preferred\nNUMAMask=\nNUMAMask=1\n",
        reload: [["systemctl", "daemon-reload"]],
      },
    ]);
  });
});

describe("systemd.AllowedCPUs read()", () => {
  it("is what the running process may use, with what a restart will bring", async () => {
    await using host = await createHostRoot(stockHost());
    const tree = openHost(host.root);
    expect(await systemdAllowedCpus.read(tree, UNIT)).toBe("0-15");
    await host.write(
      "/etc/systemd/system/mcp-service.service.d/10-ours.conf",
      "[Service]\nAllowedCPUs=0-3\nAllowedCPUs=6 7\n",
    );
    expect(await systemdAllowedCpus.read(tree, UNIT)).toBe("0-15, 0-3,6-7 after a restart");
    await host.remove("/proc/4242");
    expect(await systemdAllowedCpus.read(tree, UNIT)).toBe("0-3,6-7");
  });

  it("never finds itself where the cpuset controller is missing, as systemd would ignore it", async () => {
    await using host = await createHostRoot({
      ...stockHost(),
      "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
    });
    expect(await systemdAllowedCpus.read(openHost(host.root), UNIT)).toBeUndefined();
  });
});

describe("kernel.numa_balancing", () => {
  it("is off when the service is bound to a node, and left otherwise", () => {
    expect(valueSet(kernelNumaBalancing, { current: 1 })).toBe(0);
    expect(valueSet(kernelNumaBalancing, { current: 1, profile: { preset: "throughput" } })).toBeUndefined();
    expect(valueSet(kernelNumaBalancing, { current: 1, shape: { nodes: 1 } })).toBeUndefined();
  });

  it("never turns off memory tiering", () => {
    expect(decide(kernelNumaBalancing, { current: 2 }).because).toContain("memory tiering");
  });
});

describe("serviceTarget", () => {
  it("is the profile's unit under systemd only", () => {
    const facts = factsOfShape();
    const unit = sampleProfile({ service: { unit: "tools@7.service" } });
    expect(systemdAllowedCpus.targets?.(facts, unit)).toEqual([{ name: "tools@7.service" }]);
    expect(systemdAllowedCpus.targets?.({ ...facts, initSystem: "other" }, unit)).toEqual([]);
    expect(
      systemdAllowedCpus.targets?.(facts, sampleProfile({ service: { runtime: "kubernetes" } })),
    ).toEqual([]);
  });
});
