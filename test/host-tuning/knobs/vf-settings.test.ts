import { describe, expect, it } from "vitest";
import { vfDriver } from "../../../host-tuning/knobs/vf-driver.ts";
import { vfMac } from "../../../host-tuning/knobs/vf-mac.ts";
import { vfMtu } from "../../../host-tuning/knobs/vf-mtu.ts";
import { parseFunctions } from "../../../host-tuning/knobs/vf-settings.ts";
import { vfSpoofchk } from "../../../host-tuning/knobs/vf-spoofchk.ts";
import { vfTrust } from "../../../host-tuning/knobs/vf-trust.ts";
import { vfVlan } from "../../../host-tuning/knobs/vf-vlan.ts";
import { sriovNumvfs } from "../../../host-tuning/knobs/sriov-numvfs.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import { IGB_LINK } from "./ethtool-output.ts";

type Entry = NonNullable<HostProfileInput["sriov"]>[number];

const ENTRY: Entry = {
  match: { driver: "igb" },
  virtualFunctions: 2,
  macAddresses: ["02:00:00:00:00:01"],
  vlan: 100,
  trust: true,
  mtuBytes: 3000,
};

const IGB = sampleNic({
  name: "ens1",
  driver: "igb",
  sriov: { totalVirtualFunctions: 7, virtualFunctions: 2, functions: [] },
});
const FACTS: HostFacts = { ...factsOfShape(), nics: [IGB] };
const VF1 = { name: "ens1/vf1" };

function targetsOf(knob: AnyKnob, entry: Entry = ENTRY): string[] {
  return (knob.targets?.(FACTS, sampleProfile({ sriov: [entry] })) ?? []).map(({ name }) => name);
}

function decide(knob: AnyKnob, current: unknown, entries: readonly Entry[] = [ENTRY], facts = FACTS) {
  const profile = sampleProfile({ sriov: [...entries] });
  return knob.desired({ facts, profile, current, target: { name: "ens1/vf0" } });
}

const printing = (stdout: string) => toolHost(() => ({ exitCode: 0, stdout, stderr: "" }));

describe("parseFunctions()", () => {
  it("reads addresses, VLANs and switches, in the words of old and new versions", () => {
    const functions = parseFunctions(IGB_LINK);
    expect(functions?.size).toBe(2);
    expect(functions?.get(1)).toEqual({
      mac: "52:56:53:5c:b4:24",
      vlan: 100,
      qos: 3,
      protocol: undefined,
      spoofCheck: true,
      trust: false,
    });
    const old = parseFunctions('[{"vfinfo_list":[{"vf":0,"mac":"02:00:00:00:00:07"}]}]');
    expect(old?.get(0)).toMatchObject({ mac: "02:00:00:00:00:07", vlan: 0, trust: undefined });
  });

  it("makes nothing of other text", () => {
    for (const text of ["", "[]", "{}", "[3]", "ens1: <UP>"]) expect(parseFunctions(text)).toBeUndefined();
  });
});

describe("settings of virtual functions", () => {
  it("act on the functions that the profile says something of, up to what the NIC has", () => {
    expect(targetsOf(vfMac)).toEqual(["ens1/vf0"]);
    expect(targetsOf(vfVlan)).toEqual(["ens1/vf0", "ens1/vf1"]);
    expect(targetsOf(vfVlan, { ...ENTRY, virtualFunctions: 9 })).toHaveLength(7);
    expect(targetsOf(vfSpoofchk)).toEqual([]);
    expect(targetsOf(vfSpoofchk, { match: {}, virtualFunctions: 1 })).toEqual(["ens1/vf0"]);
    expect(targetsOf(vfMtu, { ...ENTRY, driver: "vfio-pci" })).toEqual([]);
  });

  it("are read from the physical function, and are not there for a function that is not", async () => {
    expect(await vfMac.read(printing(IGB_LINK), VF1)).toBe("52:56:53:5c:b4:24");
    expect(await vfVlan.read(printing(IGB_LINK), VF1)).toEqual({ id: 100, qos: 3 });
    expect(await vfTrust.read(printing(IGB_LINK), VF1)).toBe(false);
    expect(await vfMac.read(printing(IGB_LINK), { name: "ens1/vf6" })).toBeUndefined();
    expect(await vfMac.read(printing(IGB_LINK), { name: "../../vf0" })).toBeUndefined();
    const gone = toolHost(() => ({ exitCode: 1, stdout: "", stderr: 'Device "ens1" does not exist.\n' }));
    expect(await vfMac.read(gone, VF1)).toBeUndefined();
    const denied = toolHost(() => ({ exitCode: 2, stdout: "", stderr: "Operation not permitted\n" }));
    await expect(vfMac.read(denied, VF1)).rejects.toThrow("Cannot read function 1 of ens1: ip link ended");
  });

  it("are set and taken back through the physical function, a VLAN with its priority", () => {
    expect(vfMac.writes("02:00:00:00:00:01", VF1, "00:00:00:00:00:00")).toEqual([
      {
        kind: "tool",
        command: ["ip", "link", "set", "dev", "ens1", "vf", "1", "mac", "02:00:00:00:00:01"],
        undo: ["ip", "link", "set", "dev", "ens1", "vf", "1", "mac", "00:00:00:00:00:00"],
      },
    ]);
    expect(vfVlan.writes({ id: 7 }, VF1, { id: 100, qos: 3, protocol: "802.1ad" })).toMatchObject([
      {
        command: ["ip", "link", "set", "dev", "ens1", "vf", "1", "vlan", "7"],
        undo: ["ip", "link", "set", "dev", "ens1", "vf", "1", "vlan", "100", "qos", "3", "proto", "802.1ad"],
      },
    ]);
    expect(vfVlan.value.parse(5)).toEqual({ id: 5 });
  });

  it("are applied from no two entries that disagree", () => {
    const other: Entry = { ...ENTRY, vlan: 200 };
    expect(decide(vfTrust, false, [ENTRY, other])).toMatchObject({ kind: "set", value: true });
    expect(decide(vfMtu, { bytes: 1500 }, [ENTRY, { ...ENTRY, mtuBytes: 1500 }]).because).toContain(
      "disagree",
    );
  });

  it("come after the functions are made, and are discovered again then", () => {
    for (const knob of [vfMac, vfVlan, vfTrust, vfSpoofchk, vfMtu, vfDriver]) {
      expect(knob.rediscoverAfter).toContain("sriov_numvfs");
      expect(knob.phase).toBe(sriovNumvfs.phase);
    }
  });
});

describe("vf.mtu", () => {
  it("is that of the function's interface", async () => {
    await using root = await createHostRoot({
      "/sys/class/net/ens1/device/virtfn0/net/ens1v0/mtu": "1500\n",
      "/sys/class/net/ens1v0/mtu": "1500\n",
    });
    const host = openHost(root.root);
    const before = await vfMtu.read(host, { name: "ens1/vf0" });
    expect(before).toEqual({ bytes: 1500, netdev: "ens1v0" });
    expect(await vfMtu.read(host, VF1)).toBeUndefined();
    expect(vfMtu.writes({ bytes: 3000 }, VF1, before)).toEqual([
      { kind: "kernel-file", path: "/sys/class/net/ens1v0/mtu", text: "3000\n" },
    ]);
  });
});

describe("vf.driver", () => {
  const toUser: Entry = { ...ENTRY, driver: "vfio-pci" };
  const igbvf = { driver: "igbvf", address: "0000:39:10.0" };
  const withIommu: HostFacts = { ...FACTS, passthrough: { iommuGroups: 12, lockdown: "none" } };

  it("hands a function to user space where an IOMMU keeps it in bounds", () => {
    expect(decide(vfDriver, igbvf, [toUser], withIommu)).toMatchObject({ value: { driver: "vfio-pci" } });
    expect(decide(vfDriver, igbvf, [toUser])).toMatchObject({
      kind: "leave",
      because: expect.stringContaining("no IOMMU") as string,
    });
    const locked: HostFacts = { ...withIommu, passthrough: { iommuGroups: 12, lockdown: "integrity" } };
    expect(decide(vfDriver, igbvf, [toUser], locked).because).toContain('kernel lockdown is "integrity"');
  });

  it("makes no functions for vfio-pci where that is refused", () => {
    const made = decide(sriovNumvfs, 0, [toUser]);
    const onNic = sriovNumvfs.desired({
      facts: FACTS,
      profile: sampleProfile({ sriov: [toUser] }),
      current: 0,
      target: { name: "ens1" },
    });
    expect(made.kind).toBe("leave");
    expect(onNic.because).toContain("refused: the profile asks for functions for vfio-pci");
  });

  it("is as wanted with any network driver, and not with none", () => {
    const isSatisfied = vfDriver.isSatisfied?.bind(vfDriver);
    expect(isSatisfied?.(igbvf, { driver: "network" })).toBe(true);
    expect(isSatisfied?.({ driver: "none" }, { driver: "network" })).toBe(false);
    expect(isSatisfied?.({ driver: "vfio-pci" }, { driver: "network" })).toBe(false);
    expect(decide(vfDriver, { driver: "none" }).kind).toBe("leave");
  });

  it("reads the override as empty where the kernel prints (null), and names the address in its commands", async () => {
    await using root = await createHostRoot({
      "/sys/class/net/ens1/device/virtfn0": { link: "/sys/devices/pci0000:38/0000:39:10.0" },
      "/sys/devices/pci0000:38/0000:39:10.0/driver_override": "(null)\n",
      "/sys/devices/pci0000:38/0000:39:10.0/driver": { link: "/sys/bus/pci/drivers/igbvf" },
      "/sys/bus/pci/drivers/igbvf/bind": "",
    });
    const before = await vfDriver.read(openHost(root.root), { name: "ens1/vf0" });
    expect(before).toEqual(igbvf);
    const [write] = vfDriver.writes({ driver: "vfio-pci" }, VF1, before);
    expect(write?.kind === "tool" && write.command.slice(3)).toEqual([
      "bind",
      "0000:39:10.0",
      "vfio-pci",
      "vfio-pci",
    ]);
    expect(write?.kind === "tool" && write.undo.slice(3)).toEqual(["bind", "0000:39:10.0", "", "igbvf"]);
  });
});
