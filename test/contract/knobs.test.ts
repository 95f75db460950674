import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostFacts } from "../../host-tuning/facts/host-facts.ts";
import { KNOBS } from "../../host-tuning/knobs/index.ts";
import { type AnyKnob, type Target, WHOLE_HOST, type Write } from "../../host-tuning/knobs/knob.ts";
import type { HostProfile } from "../../host-tuning/profile/host-profile.ts";
import type { Host } from "../../host-tuning/sys/host.ts";
import { openHost } from "../../host-tuning/sys/live-host.ts";
import {
  arbitraryFacts,
  arbitraryProfile,
  sampleDisk,
  sampleFacts,
  sampleNic,
  sampleProfile,
} from "../helpers/facts.ts";
import { type HostRoot, type HostTree, createHostRoot } from "../helpers/host-root.ts";
import { stockHost } from "../helpers/stock-host.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

/** Where knobs may write. Everything else on a host is none of theirs. */
const ALLOWED_PATH =
  /^(\/proc\/sys\/|\/proc\/irq\/|\/sys\/)[^\0]+$|^\/etc\/systemd\/system\/[^/\0]+\.(service|slice|scope|target)\.d\/50-bedplate(-[a-z-]+)?\.(conf|env)$|^\/etc\/systemd\/system\/bedplate(-[a-z-]+)?\.(service|slice)$|^\/etc\/(eks\/nodeadm\.d|kubernetes\/kubelet(\.conf\.d|\/config\.json\.d))\/50-bedplate\.(yaml|conf)$/;

/** Profiles that between them move every knob that the stock host lets move. */
const PROFILES: Readonly<Record<string, HostProfile>> = {
  "as it comes": sampleProfile(),
  "a large MCP gateway": sampleProfile({
    preset: "latency",
    workload: {
      connections: 600_000,
      streams: 600_000,
      connectionsPerSecond: 20_000,
      outboundConnections: 40_000,
      usesMemoryMaps: true,
    },
    service: { listenPorts: [8080, 40_000] },
    cpu: { reserved: "0,8" },
    hugepages: { perNode: 64 },
    sriov: [{ match: { name: "eno1" }, virtualFunctions: 4 }],
  }),
  "CPUs of the service's own": sampleProfile({
    preset: "latency",
    service: { memoryBytes: 4 * 1024 ** 3 },
    cpu: { reserved: "0,8", isolation: "partition" },
    swap: "zram",
  }),
  "a Kubernetes node for throughput": sampleProfile({
    preset: "throughput",
    workload: { connections: 50_000 },
    service: { runtime: "kubernetes" },
    nics: [{ match: { name: "eno1" }, mtuBytes: 9000, busyPollMicros: 50 }],
  }),
};

const SWAPPING = sampleFacts();
const FACTS: HostFacts = {
  ...SWAPPING,
  memory: { ...SWAPPING.memory, swapTotalBytes: 8 * 1024 ** 3 },
  softnet: { processed: 10_000_000, dropped: 40, timeSqueezed: 20_000 },
  // Shares by weight, which none of the stock host's disks does.
  blockDevices: [
    ...SWAPPING.blockDevices,
    sampleDisk({ name: "sdb", scheduler: "bfq", schedulers: ["bfq"] }),
  ],
  rdma: {
    ...SWAPPING.rdma,
    devices: [
      {
        name: "rocep1s0",
        driver: "mlx5_core",
        pciAddress: null,
        node: 1,
        nodeGuid: null,
        firmware: null,
        isEfa: false,
        ports: [],
      },
    ],
  },
  // Fewer queues than CPUs on its node, so that packets have to be shared out.
  nics: [sampleNic({ rxQueues: 4, txQueues: 4 })],
};

function familyOf(id: string): string | undefined {
  return KNOBS.find((knob) => knob.id === id)?.family;
}

/** scheme of STYLE: dots, slashes and capitals become dashes: systemd.LimitNOFILE is systemd-limit-nofile.ts. */
function fileNameOf(id: string): string {
  const words = id.replaceAll(/([a-z])([A-Z])/g, "$1-$2").toLowerCase();
  return `${words.replaceAll(/[^a-z0-9]+/g, "-")}.ts`;
}

function targetsOf(knob: AnyKnob, facts: HostFacts, profile: HostProfile): readonly Target[] {
  return knob.targets?.(facts, profile) ?? [WHOLE_HOST];
}

function isSatisfied(knob: AnyKnob, current: unknown, wanted: unknown): boolean {
  return knob.isSatisfied?.(current, wanted) ?? String(current) === String(wanted);
}

/** @returns false when the writes need a tool, which a captured tree does not run */
async function applyToTree(host: Host, writes: readonly Write[]): Promise<boolean> {
  for (const write of writes) {
    if (write.kind === "tool" || write.kind === "boot-entries") return false;
    if (write.kind === "kernel-file") await host.writeKernelFile(write.path, write.text);
    else await host.writeConfigFile(write.path, write.text);
  }
  return true;
}

describe("the registry", () => {
  it("has no id twice", () => {
    const ids = KNOBS.map((knob) => knob.id);
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([]);
  });

  it("lists knobs by family, and by id within one unless another knob comes first", () => {
    const families = [...new Set(KNOBS.map((knob) => knob.family))];
    const place = (knob: AnyKnob): string => {
      const earlier = (knob.after ?? []).filter((id) => familyOf(id) === knob.family && id > knob.id);
      return [...earlier, knob.id].join(" ");
    };
    const sorted = families.flatMap((family) =>
      KNOBS.filter((knob) => knob.family === family)
        .toSorted((a, b) => (place(a) < place(b) ? -1 : 1))
        .map((knob) => knob.id),
    );
    expect(KNOBS.map((knob) => knob.id)).toEqual(sorted);
  });

  it("lists a knob after all that reset it", () => {
    const ids = KNOBS.map((knob) => knob.id);
    for (const knob of KNOBS) {
      for (const id of knob.after ?? []) {
        expect(ids, `${knob.id} comes after ${id}`).toContain(id);
        expect(ids.indexOf(id), `${knob.id} comes after ${id}`).toBeLessThan(ids.indexOf(knob.id));
      }
    }
  });
});

/** Families whose knobs are files of any Linux host, so that each must be found on the stock one. */
const EVERYWHERE: ReadonlySet<string> = new Set(["net", "vm", "kernel", "fs", "systemd"]);

/** The stock host, with the kernel's default for a new sysctl that it does not have yet. */
function stockTree(): HostTree {
  const defaults: Record<string, string> = {};
  for (const knob of KNOBS.filter(({ family }) => EVERYWHERE.has(family) && family !== "systemd")) {
    const numbers = /^\d+(?: \d+)*/.exec(knob.kernelDefault)?.[0];
    if (numbers !== undefined) defaults[`/proc/sys/${knob.id.replaceAll(".", "/")}`] = `${numbers}\n`;
  }
  // The slice that systemd makes for a service with CPUs of its own.
  const partition = { "/sys/fs/cgroup/bedplate.slice/cpuset.cpus.partition": "member\n" };
  return { ...defaults, ...stockHost(), ...partition };
}

/** A unit with a network namespace of its own, on a host that EKS' nodeadm sets up. */
const PRIVATE_NETWORK: HostTree = {
  "/etc/eks/release": "al2023\n",
  "/etc/systemd/system/mcp-service.service.d/10-network.conf": "[Service]\nPrivateNetwork=yes\n",
};

/** The stock host, and one where what a stock host has in plenty is scarce. */
const HOSTS: readonly HostTree[] = [
  stockTree(),
  {
    ...stockTree(),
    "/proc/sys/fs/file-max": "65536\n",
    "/proc/sys/kernel/pid_max": "4096\n",
    ...PRIVATE_NETWORK,
  },
];

let roots: HostRoot[] = [];
let hosts: Host[] = [];
let bare: HostRoot;

beforeAll(async () => {
  roots = await Promise.all(HOSTS.map((tree) => createHostRoot(tree)));
  hosts = roots.map(({ root }) => openHost(root));
  bare = await createHostRoot({});
});

afterAll(async () => {
  for (const root of [...roots, bare]) await root[Symbol.asyncDispose]();
});

/** What a knob reads on those hosts, for each of its targets. */
async function readAll(knob: AnyKnob): Promise<{ target: Target; profile: HostProfile; current: unknown }[]> {
  const found = [];
  for (const host of hosts) {
    for (const profile of Object.values(PROFILES)) {
      for (const target of targetsOf(knob, FACTS, profile)) {
        const current = await knob.read(host, target);
        if (current !== undefined) found.push({ target, profile, current });
      }
    }
  }
  return found;
}

describe.each(KNOBS.map((knob) => ({ id: knob.id, knob })))("$id", ({ knob }) => {
  it("stands in a file that is named after it", () => {
    expect(existsSync(resolve(REPOSITORY, "host-tuning/knobs", fileNameOf(knob.id)))).toBe(true);
  });

  it("says what it is, what it risks and where that is written", () => {
    expect(knob.title.length).toBeGreaterThan(5);
    expect(knob.risk.what.length).toBeGreaterThan(5);
    expect(knob.kernelDefault).not.toBe("");
    expect(knob.sources.length).toBeGreaterThan(0);
    for (const source of knob.sources) {
      expect(new URL(source).protocol, source).toBe("https:");
    }
  });

  it("is in docs/knobs.md, which npm run generate writes", () => {
    expect(readFileSync(resolve(REPOSITORY, "docs/knobs.md"), "utf8")).toContain(knob.id);
  });

  it("names its targets in the same order each time, none twice", () => {
    for (const profile of Object.values(PROFILES)) {
      const names = targetsOf(knob, FACTS, profile).map((target) => target.name);
      expect(targetsOf(knob, FACTS, profile).map((target) => target.name)).toEqual(names);
      expect([...new Set(names)]).toEqual(names);
      if (names.length === 0) expect(knob.absentBecause ?? "").not.toBe("");
    }
  });

  it("never finds itself on a host that has no such file", async () => {
    for (const profile of Object.values(PROFILES)) {
      for (const target of targetsOf(knob, FACTS, profile)) {
        expect(await knob.read(openHost(bare.root), target)).toBeUndefined();
      }
    }
  });

  it("reads back what it wrote, then is right", async () => {
    await using fresh = await createHostRoot(stockTree());
    const tree = openHost(fresh.root);
    for (const profile of Object.values(PROFILES)) {
      for (const target of targetsOf(knob, FACTS, profile)) {
        const before = await knob.read(tree, target);
        if (before === undefined) continue;
        const first = knob.desired({ facts: FACTS, profile, current: before, target });
        if (first.kind === "leave") continue;
        if (!(await applyToTree(tree, knob.writes(first.value, target, before)))) continue;
        const found = await knob.read(tree, target);
        const both = `${String(found)} for ${String(first.value)}`;
        expect(isSatisfied(knob, found, first.value), both).toBe(true);
        const second = knob.desired({ facts: FACTS, profile, current: found, target });
        if (second.kind === "set") expect(isSatisfied(knob, found, second.value), both).toBe(true);
      }
    }
  });

  it("moves something on at least one of the hosts, or needs a tool to be read", async () => {
    const decisions = (await readAll(knob)).map(
      ({ target, profile, current }) => knob.desired({ facts: FACTS, profile, current, target }).kind,
    );
    if (EVERYWHERE.has(knob.family)) expect(decisions, "found on the stock host").not.toEqual([]);
    if (decisions.length > 0) expect(decisions, `${knob.id} needs a rule in desired()`).toContain("set");
  });
});

describe("every knob", () => {
  it("decides on any host for any profile, with a value of its own kind, a reason and allowed paths", async () => {
    const currents = new Map<AnyKnob, unknown[]>();
    for (const knob of KNOBS)
      currents.set(
        knob,
        (await readAll(knob)).map(({ current }) => current),
      );
    fc.assert(
      fc.property(arbitraryFacts, arbitraryProfile, fc.nat(), (facts, profile, choice) => {
        for (const [knob, found] of currents) {
          if (found.length === 0) continue;
          const current = found[choice % found.length];
          for (const target of targetsOf(knob, facts, profile)) {
            checkDecision(knob, target, current, facts, profile);
          }
        }
      }),
      { numRuns: 100 },
    );
  }, 120_000);
});

function checkDecision(
  knob: AnyKnob,
  target: Target,
  current: unknown,
  facts: HostFacts,
  profile: HostProfile,
): void {
  const desired = knob.desired({ facts, profile, current, target });
  expect(desired.because, knob.id).toMatch(/\S/);
  expect(desired.because, knob.id).not.toMatch(/undefined|NaN|Infinity|\[object/);
  if (desired.kind === "leave") return;
  expect(knob.value.parse(desired.value), knob.id).toEqual(desired.value);
  for (const write of knob.writes(desired.value, target, current)) {
    if (write.kind === "kernel-file" || write.kind === "config-file")
      expect(write.path, knob.id).toMatch(ALLOWED_PATH);
    if (write.kind === "kernel-file") expect(write.text, knob.id).toMatch(/^[^\n]*\n$/);
  }
}
