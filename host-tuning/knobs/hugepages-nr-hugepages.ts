import * as z from "zod";
import type { HostFacts } from "../facts/host-facts.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob, type Target } from "./knob.ts";

/** Share of a node's memory that huge pages may take. Beyond it the kernel would have to reclaim what it runs on. Our choice. */
const MAX_NODE_SHARE = 0.9;

/** How long the kernel may take to put memory together; NTO's script waits 60 s, in which a boot would stand still. Our choice. */
const COMPACTION_SECONDS = 10;

const NODE_TARGET = /^node(\d+)\/(hugepages-\d+kB)$/;
const HOST_TARGET = /^hugepages-\d+kB$/;

/**
 * hugepages/nr_hugepages: huge pages set aside on each NUMA node that has memory.
 *
 * Per node, because the host-wide file spreads pages over nodes as it finds them. The kernel accepts a write that it
 * can only partly honour (fragmentation). It is written again while that brings more pages, for ten seconds at most; what
 * counts then is the number read back: a shortfall is a failure. Asked for
 * early in the boot, memory is least fragmented. Only raises: pages above the wanted number stay, and lowering pages in
 * use would only turn them into surplus pages.
 */
export const hugepagesNrHugepages = defineKnob<number>({
  id: "hugepages/nr_hugepages",
  title: "Huge pages set aside on a NUMA node",
  family: "memory",
  unit: "pages",
  scope: "node",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "medium",
    what: "memory set aside is gone for everything that does not use huge pages; too much brings the OOM killer",
  },
  isReversible: true,
  anchors: {
    NTO: "hugepages.pages by node: a script that retries for 60 s and fails the unit on a shortfall",
    "EKS AMI": "Bottlerocket: 110 x cores when EFA is present and the value is 0",
  },
  kernelDefault: "0, or what hugepages= on the kernel command line says",
  sources: [
    "https://docs.kernel.org/admin-guide/mm/hugetlbpage.html",
    "https://github.com/openshift/cluster-node-tuning-operator/blob/d2394aa8/assets/performanceprofile/scripts/hugepages-allocation.sh",
  ],
  value: z.int().min(0).max(1_000_000_000),

  targets(facts, profile) {
    const size = `hugepages-${profile.hugepages.sizeKiB}kB`;
    const nodes = facts.numa.nodes.filter((node) => node.memoryBytes > 0);
    const isPerNode = nodes.some((node) => node.hugepages.length > 0);
    if (!isPerNode && facts.memory.hugepageSizesKiB.length > 0) return [{ name: size }];
    return nodes.map((node) => ({ name: `node${node.id}/${size}` }));
  },
  absentBecause: "no NUMA node has memory of its own",

  async read(host, target) {
    const path = pathOf(target);
    return path === undefined ? undefined : readCount(host, path);
  },

  desired({ facts, profile, current, target }) {
    const { perNode, sizeKiB } = profile.hugepages;
    if (perNode === 0) {
      return leave("the profile asks for none (hugepages.perNode is 0)");
    }
    if (current > perNode && !profile.allowLowering) {
      return leave(`host has ${current} pages, more than the ${perNode} asked for`);
    }
    const memoryBytes = memoryOf(facts, target);
    const wantedBytes = perNode * sizeKiB * 1024;
    if (wantedBytes > memoryBytes * MAX_NODE_SHARE) {
      return leave(
        `refused: ${perNode} pages of ${sizeKiB} KiB are ${toMiB(wantedBytes)} MiB, more than 90 % of the ${toMiB(memoryBytes)} MiB there`,
      );
    }
    return setTo(
      perNode,
      `the profile asks for ${perNode} pages of ${sizeKiB} KiB here: ${toMiB(wantedBytes)} of ${toMiB(memoryBytes)} MiB`,
    );
  },

  writes(value, target) {
    const path = pathOf(target);
    return path === undefined
      ? []
      : [{ kind: "kernel-file", path, text: `${value}\n`, retrySeconds: COMPACTION_SECONDS }];
  },

  explainShortfall: (wanted, found) =>
    `the kernel found only ${found} of ${wanted} pages: memory is fragmented or in use; ask earlier in the boot, or with hugepages= on the kernel command line`,

  async readShortfall(host, target) {
    const node = NODE_TARGET.exec(target.name)?.[1];
    const path = node === undefined ? "/proc/meminfo" : `/sys/devices/system/node/node${node}/meminfo`;
    const freeKiB = /^(?:Node \d+ )?MemFree:\s+(\d+) kB$/m.exec((await host.readText(path)) ?? "")?.[1];
    if (freeKiB === undefined) return undefined;
    const place = node === undefined ? "the host" : `node ${node}`;
    return `${place} has ${Math.round(Number(freeKiB) / 1024)} MiB free`;
  },
});

function pathOf(target: Target): string | undefined {
  const [, node, size] = NODE_TARGET.exec(target.name) ?? [];
  if (node !== undefined && size !== undefined) {
    return `/sys/devices/system/node/node${node}/hugepages/${size}/nr_hugepages`;
  }
  return HOST_TARGET.test(target.name) ? `/sys/kernel/mm/hugepages/${target.name}/nr_hugepages` : undefined;
}

function memoryOf(facts: HostFacts, target: Target): number {
  const node = NODE_TARGET.exec(target.name)?.[1];
  if (node === undefined) return facts.memory.totalBytes;
  return facts.numa.nodes.find((candidate) => candidate.id === Number(node))?.memoryBytes ?? 0;
}

function toMiB(bytes: number): number {
  return Math.round(bytes / 1024 ** 2);
}
