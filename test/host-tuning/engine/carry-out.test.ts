import { describe, expect, it } from "vitest";
import * as z from "zod";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { defineKnob } from "../../../host-tuning/knobs/knob.ts";
import { sampleFacts, sampleNic } from "../../helpers/facts.ts";
import { readTree } from "../../helpers/host-root.ts";
import { demoRoot, numberKnob } from "./demo-knobs.ts";
import { engineOn, entryNamed, outcomesOf } from "./engine.ts";

/** A number for each NIC that the facts name, reset when demo.queues is written. */
function perNicKnob(wanted: number): AnyKnob {
  const path = (name: string): string => `/proc/sys/demo/nic/${name}`;
  return defineKnob<number>({
    id: "demo.per-nic",
    title: "Demo value of a NIC",
    family: "nic",
    unit: "queues",
    scope: "nic",
    phase: "early",
    takesEffect: "now",
    survivesReboot: false,
    risk: { level: "low", what: "none, it is made up" },
    isReversible: true,
    kernelDefault: "made up",
    sources: ["https://example.org/demo"],
    after: ["demo.queues"],
    rediscoverAfter: ["demo.queues"],
    value: z.int(),
    targets: (facts) => facts.nics.map(({ name }) => ({ name })),
    async read(host, { name }) {
      const text = await host.readText(path(name));
      return text === undefined ? undefined : Number(text.trim());
    },
    desired: () => ({ kind: "set", value: wanted, because: "demonstrated" }),
    writes: (value, { name }) => [{ kind: "kernel-file", path: path(name), text: `${value}\n` }],
  });
}

const KNOBS = [numberKnob("queues", 8), perNicKnob(7)];
const BEFORE = { ...sampleFacts(), nics: [sampleNic({ name: "old0" })] };
const AFTER = { ...sampleFacts(), nics: [sampleNic({ name: "new0" }), sampleNic({ name: "new1" })] };
const TREE = {
  "/proc/sys/demo/queues": "1\n",
  "/proc/sys/demo/nic/old0": "1\n",
  "/proc/sys/demo/nic/new0": "2\n",
  "/proc/sys/demo/nic/new1": "7\n",
};

describe("a knob whose targets another knob's write changes", () => {
  it("waits for that write, and is set on the targets that there are then", async () => {
    await using root = await demoRoot(TREE);
    const before = await readTree(root.root);
    const engine = engineOn(root.root);
    const applied = await engine.apply({
      knobs: KNOBS,
      facts: BEFORE,
      readFactsAgain: () => Promise.resolve(AFTER),
    });
    expect(outcomesOf(applied)).toEqual({
      "demo.queues": "changed",
      "demo.per-nic[new0]": "changed",
      "demo.per-nic[new1]": "already-right",
    });
    expect(entryNamed(applied, "demo.per-nic[new0]")).toMatchObject({ before: "2", found: "7" });
    expect(await root.read("/proc/sys/demo/nic/old0")).toBe("1\n");

    const again = await engine.apply({ knobs: KNOBS, facts: AFTER });
    expect(again.counts.changed).toBe(0);
    const back = await engine.rollback({ knobs: KNOBS });
    expect(back.counts.failed).toBe(0);
    const after = await readTree(root.root);
    for (const path of Object.keys(TREE)) expect(after[path], path).toBe(before[path]);
  });

  it("comes back on the old targets, after what reset it", async () => {
    await using root = await demoRoot(TREE);
    const engine = engineOn(root.root);
    await engine.apply({ knobs: KNOBS, facts: BEFORE, readFactsAgain: () => Promise.resolve(AFTER) });
    await root.write("/proc/sys/demo/nic/old0", "99\n");
    await engine.rollback({ knobs: KNOBS });
    expect(await root.read("/proc/sys/demo/nic/old0")).toBe("1\n");
  });

  it("never waits where the other one is as wanted already", async () => {
    await using root = await demoRoot({ ...TREE, "/proc/sys/demo/queues": "8\n" });
    const applied = await engineOn(root.root).apply({
      knobs: KNOBS,
      facts: BEFORE,
      readFactsAgain: () => Promise.reject(new Error("no reason to read")),
    });
    expect(outcomesOf(applied)).toEqual({ "demo.queues": "already-right", "demo.per-nic[old0]": "changed" });
  });
});

/** A setting that only a tool can change, of a device that may be unplugged. */
function toolKnob(): AnyKnob {
  const path = "/sys/class/net/gone0/mtu";
  return defineKnob<number>({
    ...numberKnob("tool", 7),
    id: "demo.tool",
    scope: "nic",
    value: z.int(),
    targets: () => [{ name: "gone0" }],
    async read(host) {
      const text = await host.readText(path);
      return text === undefined ? undefined : Number(text.trim());
    },
    desired: () => ({ kind: "set", value: 7, because: "demonstrated" }),
    writes: () => [{ kind: "tool", command: ["true"], undo: ["false"] }],
  });
}

describe("rollback of what a tool did to a device", () => {
  it("never fails for one that is gone, and does for one that is there", async () => {
    await using root = await demoRoot({ "/sys/class/net/gone0/mtu": "1\n" });
    const engine = engineOn(root.root);
    await engine.apply({ knobs: [toolKnob()] });
    expect((await engine.rollback({ knobs: [toolKnob()] })).counts.failed).toBe(1);
    await root.remove("/sys/class/net/gone0");
    const back = await engine.rollback({ knobs: [toolKnob()] });
    expect(back.counts.failed).toBe(0);
    expect(back.entries[0]?.because).toBe("gone0 is not there any more");
  });
});
