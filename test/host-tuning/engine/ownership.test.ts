import { describe, expect, it } from "vitest";
import { claimsOn, decideOwnership } from "../../../host-tuning/engine/ownership.ts";
import type { OwnershipFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { sampleFacts } from "../../helpers/facts.ts";
import { demoRoot, diskKnob, numberKnob } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";

const KEY = "demo.backlog";

function claim(changes: Partial<OwnershipFacts>): OwnershipFacts {
  return {
    owner: "tuned",
    key: KEY,
    source: "/etc/tuned/x/tuned.conf",
    value: "64",
    hold: "start",
    ...changes,
  };
}

const fromFile = claim({ owner: "sysctl.d", source: "/etc/sysctl.d/90-db.conf", hold: "boot" });

describe("decideOwnership()", () => {
  it.each([
    ["nobody", [], "free"],
    ["a file that says the same", [claim({ hold: "boot", value: "4096" })], "free"],
    ["TuneD with at least less", [claim({ value: ">2048" })], "free"],
    ["TuneD with at least more", [claim({ value: ">8192" })], "yield"],
    ["TuneD with at most less", [claim({ value: "<1024" })], "yield"],
    ["TuneD with a value that only it knows", [claim({ value: null })], "yield"],
    ["a file read at boot", [fromFile], "take-over"],
    ["one that says nothing of when", [{ ...fromFile, hold: undefined }], "take-over"],
    ["what is set in containers", [claim({ hold: "containers" })], "free"],
    ["what Kubernetes needs", [claim({ owner: "kubelet", hold: "required" })], "refuse"],
    ["a file and TuneD", [fromFile, claim({})], "yield"],
    ["bpftune and a kubelet", [claim({ hold: "always" }), claim({ hold: "required" })], "refuse"],
  ] as const)("%s", (_, claims, kind) => {
    const found = claims.map((entry) => {
      const { hold, ...rest } = entry;
      return hold === undefined ? rest : { ...rest, hold };
    });
    expect(decideOwnership(found, "4096", false).kind).toBe(kind);
  });

  it("lets an override take over from a tuner, and never from Kubernetes", () => {
    expect(decideOwnership([claim({})], "4096", true)).toEqual({
      kind: "take-over",
      because: 'taken from tuned, which sets it to "64" when it starts (/etc/tuned/x/tuned.conf)',
    });
    expect(decideOwnership([claim({ hold: "required" })], "4096", true).kind).toBe("refuse");
  });

  it("compares values without regard to white space", () => {
    expect(decideOwnership([claim({ value: "4096\t131072  1" })], "4096 131072 1", false).kind).toBe("free");
  });
});

describe("claimsOn()", () => {
  const ownersOf = (
    knob: AnyKnob,
    writes: Parameters<typeof claimsOn>[1],
    claims: OwnershipFacts[],
  ): string[] => claimsOn(knob, writes, sampleFacts({ ownership: claims })).map((found) => found.key);

  it("knows a knob by its id in both spellings, by its file, and by the other half of a pair", () => {
    const path = "/proc/sys/vm/dirty_bytes";
    const writes = [
      { kind: "kernel-file", path, text: "1", counterpart: "/proc/sys/vm/dirty_ratio" },
    ] as const;
    const claims = [
      "demo/backlog",
      "vm.dirty_bytes",
      "vm/dirty_ratio",
      path,
      "vm.dirty_background_ratio",
    ].map((key) => claim({ key }));
    expect(ownersOf(numberKnob("backlog", 1), writes, claims)).toEqual([
      "demo/backlog",
      "vm.dirty_bytes",
      "vm/dirty_ratio",
      path,
    ]);
  });

  it("knows files by a pattern, part by part, and tools by their first argument", () => {
    const path = "/sys/block/sda/queue/scheduler";
    const claims = [
      "/sys/block/*/queue/scheduler",
      "/sys/block/sd*/queue/scheduler",
      "/sys/block/nvme*/queue/scheduler",
      "/sys/*/scheduler",
      "/sys/block/*",
      "/sys/block/*/queue/*du*er",
      "/sys/block/*/queue/*du*led*",
      "ethtool -G",
      "ethtool -K",
    ].map((key) => claim({ key }));
    const tool = { kind: "tool", command: ["ethtool", "-G", "eth0", "rx", "8"], undo: ["true"] } as const;
    expect(ownersOf(diskKnob, [{ kind: "kernel-file", path, text: "none" }, tool], claims)).toEqual([
      "/sys/block/*/queue/scheduler",
      "/sys/block/sd*/queue/scheduler",
      "/sys/block/*/queue/*du*er",
      "ethtool -G",
    ]);
  });
});

describe("planHost() on a host with other owners", () => {
  async function stepOn(ownership: OwnershipFacts[], override = false) {
    await using host = await demoRoot();
    const overrides = { [KEY]: { value: 4096, because: "measured here" } };
    const plan = await engineOn(host.root).plan({
      facts: sampleFacts({ ownership }),
      ...(override ? { profile: { overrides } } : {}),
    });
    const step = plan.steps.find((candidate) => candidate.key === KEY);
    return {
      action: step?.action,
      because: step?.because,
      writes: step?.writes.length,
      also: step?.alsoSetBy,
    };
  }

  it("takes over what a file sets at boot, and says which file to change", async () => {
    expect(await stepOn([fromFile])).toEqual({
      action: "set",
      because:
        '4096 is demonstrated; /etc/sysctl.d/90-db.conf has "64", which a restart of systemd-sysctl or "sysctl --system" would bring back: change it there',
      writes: 1,
      also: ["sysctl.d /etc/sysctl.d/90-db.conf: 64"],
    });
  });

  it("leaves to a tuner what it sets, and writes nothing", async () => {
    expect(await stepOn([claim({})])).toEqual({
      action: "left",
      because:
        'tuned sets it to "64" when it starts (/etc/tuned/x/tuned.conf); an override in the profile takes it over; would be 4096: 4096 is demonstrated',
      writes: 0,
      also: ["tuned /etc/tuned/x/tuned.conf: 64"],
    });
  });

  it("takes it over on a person's word", async () => {
    expect(await stepOn([claim({})], true)).toMatchObject({ action: "set", writes: 1 });
  });

  it("never writes what Kubernetes needs: our wish is dropped, a person's word fails", async () => {
    const kubelet = claim({ owner: "kubelet", source: "/var/lib/kubelet/config.yaml", hold: "required" });
    expect(await stepOn([kubelet])).toMatchObject({ action: "left", writes: 0 });
    expect(await stepOn([kubelet], true)).toMatchObject({
      action: "failed",
      because:
        'Cannot set demo.backlog to 4096: kubelet needs "64" here and fails with another (/var/lib/kubelet/config.yaml)',
    });
  });

  it("only decides the steps that are asked for", async () => {
    await using host = await demoRoot();
    const plan = await engineOn(host.root).plan({ isChosen: (_, target) => target.name === "disk0" });
    expect(plan.steps.map((step) => step.key)).toEqual(["demo/scheduler[disk0]"]);
  });
});
