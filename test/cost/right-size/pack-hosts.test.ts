import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { allocatableOf, fits, type Room, without } from "../../../cost/right-size/host-capacity.ts";
import { packHosts, type PodGroup } from "../../../cost/right-size/pack-hosts.ts";
import { kubeletHandOver } from "../../../host-tuning/kubernetes/kubelet-hand-over.ts";
import { parseKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";

function room(milliCpus: number, memoryMiB: number, gpus = 0, pods = 110): Room {
  return { milliCpus, memoryMiB, gpus, pods };
}

function group(name: string, count: number, milliCpus: number, memoryMiB: number, gpus = 0): PodGroup {
  return { name, count, takes: room(milliCpus, memoryMiB, gpus, 1) };
}

/** The fewest hosts by trying every placement: what no heuristic can beat. */
function fewestHosts(groups: readonly PodGroup[], host: Room): number {
  const pods = groups.flatMap(({ count, takes }) => Array.from({ length: count }, () => takes));
  let best = pods.length;
  const search = (index: number, free: readonly Room[]): void => {
    if (free.length >= best) return;
    const pod = pods[index];
    if (pod === undefined) {
      best = free.length;
      return;
    }
    for (const [at, one] of free.entries()) {
      if (fits(pod, one)) search(index + 1, free.with(at, without(one, pod)));
    }
    search(index + 1, [...free, without(host, pod)]);
  };
  search(0, []);
  return Math.max(1, best);
}

describe("packHosts()", () => {
  it("is never below the fewest hosts that any placement needs, and seldom above", () => {
    const pod = fc.tuple(
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 1, max: 10 }),
    );
    let same = 0;
    let cases = 0;
    fc.assert(
      fc.property(fc.array(pod, { minLength: 1, maxLength: 3 }), (pods) => {
        const groups = pods.map(([count, cpu, memory], index) =>
          group(String(index), count, cpu * 400, memory * 800),
        );
        const host = room(4000, 8000);
        const packing = packHosts(groups, host);
        const fewest = fewestHosts(groups, host);
        if (packing.kind !== "packed") throw new Error("a pod of at most a host does not fit");
        expect(packing.lowerBound).toBeLessThanOrEqual(fewest);
        expect(packing.hosts).toBeGreaterThanOrEqual(fewest);
        expect(packing.hosts).toBeLessThanOrEqual(fewest + 2);
        cases += 1;
        same += Number(packing.hosts === fewest);
      }),
      { seed: 7, numRuns: 200 },
    );
    expect(same / cases).toBeGreaterThan(0.8);
  });

  it("counts what the scheduler's spreading cannot place, though a tighter packing would hold it", () => {
    // Each workload alone is spread over all hosts, and leaves holes that the next does not fit into.
    const groups = [group("a", 2, 1200, 3200), group("b", 3, 2400, 1600), group("c", 1, 2800, 4000)];
    const host = room(4000, 8000);
    expect(fewestHosts(groups, host)).toBe(4);
    expect(packHosts(groups, host)).toEqual({ kind: "packed", hosts: 5, lowerBound: 4 });
  });

  it("keeps GPUs, the limit of pods and pods that stand alone apart", () => {
    expect(packHosts([group("gpu", 3, 100, 100, 2)], room(64_000, 64_000, 4))).toMatchObject({ hosts: 2 });
    expect(packHosts([group("many", 25, 1, 1)], room(64_000, 64_000, 0, 10))).toMatchObject({ hosts: 3 });
    expect(packHosts([{ ...group("one", 3, 1, 1), mostPerHost: 1 }], room(64_000, 64_000))).toMatchObject({
      hosts: 3,
    });
  });

  it("fails naming the pod that no host holds", () => {
    expect(packHosts([group("small", 1, 1, 1), group("huge", 1, 5000, 1)], room(4000, 8000))).toEqual({
      kind: "unfit",
      pod: "huge",
    });
  });
});

describe("allocatableOf()", () => {
  it("keeps what the agent tells the kubelet to keep", () => {
    const catalogue = loadCatalogue("us-east-1");
    for (const name of ["m6i.xlarge", "m6idn.2xlarge", "c7a.8xlarge", "m6g.4xlarge", "r6i.32xlarge"]) {
      const spec = catalogue.instanceTypes.find(({ type }) => type === name);
      if (spec === undefined) throw new Error(`no ${name}`);
      const threads = name.startsWith("c7a") || name.startsWith("m6g") ? 1 : 2;
      // The guest's memory, as EC2 leaves it.
      const memoryBytes = Math.floor(spec.memoryMiB * 0.925) * 1024 * 1024;
      const facts = factsOfShape({
        nodes: 1,
        cpus: spec.vcpus,
        threadsPerCore: threads,
        memoryBytes,
      });
      const handOver = kubeletHandOver(facts, sampleProfile({ service: { runtime: "kubernetes" } }));
      if (handOver.kind === "none") throw new Error(handOver.because);
      const { config } = handOver;
      const kept = [
        config.kubeReserved.memory,
        config.systemReserved.memory,
        config.evictionHard["memory.available"],
      ];
      const keptMiB = kept.reduce((sum, text) => sum + Number.parseInt(text, 10), 0);
      const reserved = parseKernelList(config.reservedSystemCPUs)?.length ?? 0;
      expect({ name, ...allocatableOf(spec) }).toMatchObject({
        milliCpus: (spec.vcpus - reserved) * 1000,
        memoryMiB: Math.floor(facts.memory.totalBytes / 1024 / 1024) - keptMiB,
      });
    }
  });
});
