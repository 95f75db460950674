import { describe, expect, it } from "vitest";
import { sriovNumvfs as knob } from "../../../host-tuning/knobs/sriov-numvfs.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { waitsForFunctions } from "../../../host-tuning/knobs/virtual-functions.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";

type Entries = NonNullable<HostProfileInput["sriov"]>;

const IGB = sampleNic({
  name: "ens1",
  driver: "igb",
  pciAddress: "0000:41:00.0",
  sriov: { totalVirtualFunctions: 7, virtualFunctions: 0, functions: [] },
});
const FACTS = { ...factsOfShape(), nics: [sampleNic(), IGB] };

function decide(sriov: Entries, current = 0, allowLowering = false) {
  const profile = sampleProfile({ sriov, allowLowering });
  return knob.desired({ facts: FACTS, profile, current, target: { name: "ens1" } });
}

function targetsOf(sriov: Entries): string[] | undefined {
  return knob.targets?.(FACTS, sampleProfile({ sriov })).map((target) => target.name);
}

describe("sriov_numvfs", () => {
  it("acts on the NICs that every given field matches", () => {
    expect(targetsOf([{ match: { driver: "igb" }, virtualFunctions: 2 }])).toEqual(["ens1"]);
    expect(targetsOf([{ match: { driver: "igb", name: "ens1" }, virtualFunctions: 2 }])).toEqual(["ens1"]);
    expect(targetsOf([{ match: { pciAddress: "0000:41:00.0" }, virtualFunctions: 2 }])).toEqual(["ens1"]);
    expect(targetsOf([{ match: {}, virtualFunctions: 2 }])).toEqual(["eno1", "ens1"]);
    expect(targetsOf([])).toEqual([]);
  });

  it("never takes a virtual function or a virtual NIC for a match", () => {
    const nics = [sampleNic({ isVirtualFunction: true }), sampleNic({ name: "br0", isPhysical: false })];
    const profile = sampleProfile({ sriov: [{ match: { driver: "ice" }, virtualFunctions: 1 }] });
    expect(knob.targets?.({ ...FACTS, nics }, profile)).toEqual([{ name: "driver=ice" }]);
  });

  it("shows a selector that no NIC matches as not there", async () => {
    expect(targetsOf([{ match: { driver: "../mlx5", name: "x" }, virtualFunctions: 2 }])).toEqual([
      "driver=../mlx5 name=x",
    ]);
    await using root = await createHostRoot(stockHost());
    expect(await knob.read(openHost(root.root), { name: "driver=../mlx5 name=x" })).toBeUndefined();
    expect(await knob.read(openHost(root.root), { name: "../net/eno1" })).toBeUndefined();
    expect(await knob.read(openHost(root.root), { name: "eno1" })).toBe(0);
  });

  it("sets the count where there are none, through 0", () => {
    expect(decide([{ match: { driver: "igb" }, virtualFunctions: 7 }])).toMatchObject({
      kind: "set",
      value: 7,
    });
    expect(knob.writes(7, { name: "ens1" }, 0)).toEqual([
      { kind: "kernel-file", path: "/sys/class/net/ens1/device/sriov_numvfs", text: "7\n", via: "0\n" },
    ]);
  });

  it("refuses more than the NIC has, with both figures", () => {
    expect(decide([{ match: { driver: "igb" }, virtualFunctions: 8 }])).toEqual({
      kind: "leave",
      because: "refused: the profile asks for 8 functions and the NIC has 7 at most",
    });
  });

  it("never destroys functions that are there unless the profile allows it", () => {
    const four: Entries = [{ match: { driver: "igb" }, virtualFunctions: 4 }];
    expect(decide(four, 2)).toMatchObject({ kind: "leave" });
    expect(decide(four, 6)).toMatchObject({ kind: "leave" });
    expect(decide(four, 4)).toMatchObject({ kind: "set", value: 4 });
    expect(decide(four, 2, true)).toMatchObject({ kind: "set", value: 4 });
  });

  it("applies none of two entries that disagree", () => {
    const entries: Entries = [
      { match: { driver: "igb" }, virtualFunctions: 2 },
      { match: { name: "ens1" }, virtualFunctions: 4 },
    ];
    expect(decide(entries)).toMatchObject({
      kind: "leave",
      because: expect.stringContaining("2 and 4") as string,
    });
  });
});

describe("waitsForFunctions()", () => {
  const two: Entries = [{ match: { driver: "igb" }, virtualFunctions: 2 }];
  const made = { ...IGB, sriov: { totalVirtualFunctions: 7, virtualFunctions: 2, functions: [] } };

  it("holds a NIC's queues back in the run that makes its functions, and only then", () => {
    expect(waitsForFunctions(IGB, FACTS, sampleProfile({ sriov: two }))).toMatch(
      /^making 2 virtual functions/,
    );
    expect(waitsForFunctions(made, FACTS, sampleProfile({ sriov: two }))).toBeUndefined();
    expect(waitsForFunctions(sampleNic(), FACTS, sampleProfile({ sriov: two }))).toBeUndefined();
    expect(
      waitsForFunctions(sampleNic({ sriov: null }), FACTS, sampleProfile({ sriov: two })),
    ).toBeUndefined();
  });

  it("knows that a refused count is not made", () => {
    const eight: Entries = [{ match: { driver: "igb" }, virtualFunctions: 8 }];
    expect(waitsForFunctions(IGB, FACTS, sampleProfile({ sriov: eight }))).toBeUndefined();
    const four: Entries = [{ match: { driver: "igb" }, virtualFunctions: 4 }];
    expect(waitsForFunctions(made, FACTS, sampleProfile({ sriov: four }))).toBeUndefined();
    expect(waitsForFunctions(made, FACTS, sampleProfile({ sriov: four, allowLowering: true }))).toMatch(
      /^making 4/,
    );
  });

  it("follows a person's override", () => {
    const leave = { sriov_numvfs: { leave: true, because: "tested" } } as const;
    expect(waitsForFunctions(IGB, FACTS, sampleProfile({ sriov: two, overrides: leave }))).toBeUndefined();
    const three = { sriov_numvfs: { value: 3, because: "tested" } };
    expect(waitsForFunctions(IGB, FACTS, sampleProfile({ sriov: two, overrides: three }))).toMatch(
      /^making 3/,
    );
  });
});
