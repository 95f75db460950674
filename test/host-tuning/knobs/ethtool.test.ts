import { describe, expect, it } from "vitest";
import type { NicFacts } from "../../../host-tuning/facts/host-facts.ts";
import { ethtoolChannelsCombined } from "../../../host-tuning/knobs/ethtool-channels-combined.ts";
import { ethtoolRingRx } from "../../../host-tuning/knobs/ethtool-ring-rx.ts";
import { ethtoolRingTx } from "../../../host-tuning/knobs/ethtool-ring-tx.ts";
import { parseEthtoolSettings } from "../../../host-tuning/knobs/ethtool.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import {
  E1000E_RINGS,
  ENA_STATISTICS,
  IGB_CHANNELS,
  IGB_RINGS,
  NOT_SUPPORTED,
  VIRTIO_CHANNELS,
  VIRTIO_RINGS,
} from "./ethtool-output.ts";

const TARGET = { name: "eno1" };

function printing(stdout: string) {
  return toolHost(() => ({ exitCode: 0, stdout, stderr: "" }));
}

interface Case {
  readonly current: { readonly value: number; readonly maximum?: number };
  readonly nic?: Partial<NicFacts>;
  readonly profile?: Omit<HostProfileInput, "apiVersion" | "kind">;
}

function decide(knob: AnyKnob, { current, nic, profile }: Case) {
  const facts = { ...factsOfShape(), nics: [sampleNic(nic)] };
  return knob.desired({ facts, profile: sampleProfile(profile), current, target: TARGET });
}

describe("parseEthtoolSettings()", () => {
  it("reads both sections, without what the device does not have", () => {
    const rings = parseEthtoolSettings(IGB_RINGS);
    expect(Object.fromEntries(rings?.maximums ?? [])).toEqual({ RX: 4096, TX: 4096 });
    expect(Object.fromEntries(rings?.current ?? [])).toEqual({ RX: 256, TX: 256 });
    const channels = parseEthtoolSettings(IGB_CHANNELS);
    expect(Object.fromEntries(channels?.maximums ?? [])).toEqual({ Other: 1, Combined: 8 });
    expect(Object.fromEntries(channels?.current ?? [])).toEqual({ Other: 1, Combined: 4 });
  });

  it("reads e1000e's, and virtio's as ethtool 6.1 prints them", () => {
    expect(parseEthtoolSettings(E1000E_RINGS)?.maximums.get("TX")).toBe(4096);
    expect(parseEthtoolSettings(VIRTIO_RINGS)?.current.get("RX")).toBe(256);
    expect(parseEthtoolSettings(VIRTIO_CHANNELS)?.maximums.get("Combined")).toBe(1);
  });

  it("makes nothing of text without the two sections", () => {
    expect(parseEthtoolSettings("")).toBeUndefined();
    expect(parseEthtoolSettings("Pre-set maximums:\nRX:\t4096\n")).toBeUndefined();
    expect(parseEthtoolSettings("RX:\t4096\nTX:\t4096\n")).toBeUndefined();
  });
});

describe("reading a NIC's settings", () => {
  it("asks ethtool about this NIC and gives value and maximum", async () => {
    const host = printing(IGB_RINGS);
    expect(await ethtoolRingRx.read(host, TARGET)).toEqual({ value: 256, maximum: 4096 });
    expect(host.calls).toEqual([["ethtool", "-g", "eno1"]]);
    expect(await ethtoolChannelsCombined.read(printing(IGB_CHANNELS), TARGET)).toEqual({
      value: 4,
      maximum: 8,
    });
  });

  it("has nothing where the driver does not know the question, offers none, or the NIC is gone", async () => {
    for (const stderr of [NOT_SUPPORTED, "netlink error: No such device\n"]) {
      const host = toolHost(() => ({ exitCode: 1, stdout: "", stderr }));
      expect(await ethtoolRingTx.read(host, TARGET)).toBeUndefined();
    }
    const none = IGB_CHANNELS.replaceAll(/Combined:.*/g, "Combined:\t0");
    expect(await ethtoolChannelsCombined.read(printing(none), TARGET)).toBeUndefined();
  });

  it("has nothing without ethtool, and on a captured tree", async () => {
    expect(
      await ethtoolRingRx.read(
        toolHost(() => undefined),
        TARGET,
      ),
    ).toBeUndefined();
    await using root = await createHostRoot({});
    expect(await ethtoolRingRx.read(openHost(root.root), TARGET)).toBeUndefined();
  });

  it("fails with what ethtool said on any other fault, and on text it cannot read", async () => {
    const denied = toolHost(() => ({
      exitCode: 1,
      stdout: "",
      stderr: "netlink error: Operation not permitted\n",
    }));
    await expect(ethtoolRingRx.read(denied, TARGET)).rejects.toThrow(
      "Cannot read RX of eno1: ethtool -g ended with 1: netlink error: Operation not permitted",
    );
    await expect(ethtoolRingRx.read(printing("Segmentation fault"), TARGET)).rejects.toThrow(
      /printed no settings/,
    );
  });
});

describe("ethtool.ring.rx", () => {
  it("holds what the link brings in a pause, over all queues, as a power of two", () => {
    const current = { value: 256, maximum: 8160 };
    const ten = { speedMbitPerSec: 10_000 };
    expect(decide(ethtoolRingRx, { current, nic: ten, profile: { preset: "throughput" } })).toEqual({
      kind: "set",
      value: { value: 1024, maximum: 8160 },
      because: "10000 Mbit/s bring 4883 packets of 512 bytes in 2 ms, over 8 queues: 1024 each",
    });
    expect(decide(ethtoolRingRx, { current, nic: ten })).toMatchObject({ value: { value: 512 } });
  });

  it("names the allowances that are exceeded, as no ring can help those", () => {
    const current = { value: 256, maximum: 8160 };
    const nic = { exceeded: { pps_allowance_exceeded: 7 } };
    expect(decide(ethtoolRingRx, { current, nic }).because).toMatch(
      /; pps_allowance_exceeded: no setting can help, the instance type's allowance is exceeded$/,
    );
  });

  it("shows what the NIC has lost as evidence", async () => {
    const evidence = await ethtoolRingRx.evidence?.(printing(ENA_STATISTICS), TARGET);
    expect(evidence).toBe(
      "eno1 has counted no lost packet; bw_out_allowance_exceeded 52145, pps_allowance_exceeded 7: no setting can help, the instance type's allowance is exceeded",
    );
    const lossy = "NIC statistics:\n     rx_missed_errors: 12\n     rx_no_buffer_count: 0\n";
    expect(await ethtoolRingRx.evidence?.(printing(lossy), TARGET)).toBe("eno1: rx_missed_errors 12");
  });

  it("stops at the device's maximum, and says so", () => {
    const desired = decide(ethtoolRingRx, {
      current: { value: 256, maximum: 4096 },
      nic: { speedMbitPerSec: 100_000, rxQueues: 1 },
    });
    expect(desired).toMatchObject({ kind: "set", value: { value: 4096 } });
    expect(desired.because).toMatch(/32768 each, of which the device takes 4096$/);
  });

  it("leaves larger rings, the latency preset and links without a speed", () => {
    const maximum = 8192;
    expect(decide(ethtoolRingRx, { current: { value: 8192, maximum } })).toMatchObject({ kind: "leave" });
    const latency = { preset: "latency" } as const;
    expect(decide(ethtoolRingRx, { current: { value: 64, maximum }, profile: latency }).kind).toBe("leave");
    const down = { speedMbitPerSec: null };
    expect(decide(ethtoolRingRx, { current: { value: 64, maximum }, nic: down }).kind).toBe("leave");
    expect(decide(ethtoolRingRx, { current: { value: 64 } })).toEqual({
      kind: "leave",
      because: "the driver names no maximum",
    });
  });

  it("writes through ethtool, and takes back what was there", () => {
    expect(
      ethtoolRingRx.writes({ value: 1024, maximum: 4096 }, TARGET, { value: 256, maximum: 4096 }),
    ).toEqual([
      {
        kind: "tool",
        command: ["ethtool", "-G", "eno1", "rx", "1024"],
        undo: ["ethtool", "-G", "eno1", "rx", "256"],
      },
    ]);
  });

  it("takes a bare number as override", () => {
    expect(ethtoolRingRx.value.parse(512)).toEqual({ value: 512 });
    expect(ethtoolRingRx.isSatisfied?.({ value: 512, maximum: 4096 }, { value: 512 })).toBe(true);
    expect(ethtoolRingRx.isSatisfied?.({ value: 256, maximum: 4096 }, { value: 512 })).toBe(false);
    expect(ethtoolRingRx.value.safeParse(0).success).toBe(false);
    expect(ethtoolRingRx.format?.({ value: 512, maximum: 4096 })).toBe("512");
  });
});

describe("ethtool.ring.tx", () => {
  it("grows for throughput only", () => {
    const current = { value: 256, maximum: 4096 };
    expect(decide(ethtoolRingTx, { current })).toMatchObject({ kind: "leave" });
    expect(decide(ethtoolRingTx, { current, profile: { preset: "throughput" } })).toMatchObject({
      kind: "set",
      value: { value: 2048 },
    });
  });
});

describe("ethtool.channels.combined", () => {
  it("has a queue for each CPU of the NIC's node, up to the device's maximum", () => {
    const knob = ethtoolChannelsCombined;
    expect(decide(knob, { current: { value: 4, maximum: 64 } })).toMatchObject({ value: { value: 8 } });
    expect(decide(knob, { current: { value: 2, maximum: 6 } })).toMatchObject({ value: { value: 6 } });
    expect(decide(knob, { current: { value: 16, maximum: 64 } })).toMatchObject({ kind: "leave" });
  });

  it("has one for each reserved CPU, and lowers only where the profile allows it", () => {
    const current = { value: 8, maximum: 64 };
    const cpu = { reserved: "8-9" };
    expect(decide(ethtoolChannelsCombined, { current, profile: { cpu } })).toMatchObject({ kind: "leave" });
    expect(decide(ethtoolChannelsCombined, { current, profile: { cpu, allowLowering: true } })).toMatchObject(
      {
        value: { value: 2 },
      },
    );
  });

  it("says that interrupts change", () => {
    const desired = decide(ethtoolChannelsCombined, { current: { value: 4, maximum: 64 } });
    expect(desired.because).toContain("a change gives the NIC new interrupts");
  });
});

const ETHTOOL = program("ethtool", "apt install ethtool", "--version");

describeWith([ETHTOOL], "the installed ethtool", () => {
  it("answers for loopback that it has no rings and no channels", async () => {
    const host = openHost("/");
    expect(await ethtoolRingRx.read(host, { name: "lo" })).toBeUndefined();
    expect(await ethtoolChannelsCombined.read(host, { name: "lo" })).toBeUndefined();
  });

  it("answers for a NIC that is not there that it has none", async () => {
    expect(await ethtoolRingRx.read(openHost("/"), { name: "bedplate-none" })).toBeUndefined();
  });
});

describe("askEthtool()", () => {
  it("asks once for all that are read together, and anew for a later read", async () => {
    const asked: string[] = [];
    const host = toolHost((tool, args) => {
      asked.push([tool, ...args].join(" "));
      return { exitCode: 0, stdout: IGB_RINGS, stderr: "" };
    });
    const read = async () =>
      await Promise.all([ethtoolRingRx, ethtoolRingTx].map((knob) => knob.read(host, TARGET)));
    const [first] = await read();
    expect(first).toMatchObject({ value: 256 });
    expect(asked).toEqual(["ethtool -g eno1"]);
    await read();
    expect(asked).toHaveLength(2);
  });
});
