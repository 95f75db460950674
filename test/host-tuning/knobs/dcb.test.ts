import { describe, expect, it } from "vitest";
import { dcbApptrust, parseTrust } from "../../../host-tuning/knobs/dcb-apptrust.ts";
import { dcbPfc, parsePfc } from "../../../host-tuning/knobs/dcb-pfc.ts";
import { defaultRoceMode } from "../../../host-tuning/knobs/default-roce-mode.ts";
import { defaultRoceTos } from "../../../host-tuning/knobs/default-roce-tos.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { factsOfShape, sampleNic, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { toolHost } from "../../helpers/tool-host.ts";
import { DCB_PFC, MLNX_QOS, NOT_SUPPORTED } from "./ethtool-output.ts";

type Roce = NonNullable<NonNullable<HostProfileInput["nics"]>[number]["roce"]>;

const TARGET = { name: "eno1" };
const PORT = { name: "mlx5_0/1" };

const FACTS: HostFacts = {
  ...factsOfShape(),
  nics: [sampleNic(), sampleNic({ name: "eno2" })],
  rdma: {
    netnsMode: "shared",
    peerMemoryModule: null,
    hasOpenNvidiaModule: null,
    devices: [
      {
        name: "mlx5_0",
        driver: "mlx5_core",
        pciAddress: null,
        node: 1,
        nodeGuid: null,
        firmware: null,
        isEfa: false,
        ports: [
          {
            port: 1,
            state: "ACTIVE",
            physicalState: "LinkUp",
            linkLayer: "Ethernet",
            rate: null,
            netdev: "eno1",
            gidTypes: ["RoCE v2"],
          },
        ],
      },
    ],
  },
};

function profileOf(roce: Roce) {
  return sampleProfile({ nics: [{ match: { name: "eno1" }, roce }] });
}

function decide(knob: AnyKnob, current: unknown, roce: Roce = {}, target = TARGET) {
  return knob.desired({ facts: FACTS, profile: profileOf(roce), current, target });
}

/** dcb does not know the object or the NIC; mlnx_qos does. */
const MLNX_HOST = toolHost((tool) =>
  tool === "dcb"
    ? { exitCode: 1, stdout: "", stderr: "Attribute read: Operation not supported\n" }
    : { exitCode: 0, stdout: MLNX_QOS, stderr: "" },
);

describe("dcb.pfc", () => {
  it("reads both tools", async () => {
    expect(parsePfc({ tool: "dcb", text: DCB_PFC })).toEqual([3]);
    expect(parsePfc({ tool: "mlnx_qos", text: MLNX_QOS })).toEqual([4]);
    expect(parsePfc({ tool: "dcb", text: MLNX_QOS })).toBeUndefined();
    expect(await dcbPfc.read(MLNX_HOST, TARGET)).toEqual({ priorities: [4], tool: "mlnx_qos" });
    const without = toolHost((tool) =>
      tool === "dcb" ? { exitCode: 1, stdout: "", stderr: NOT_SUPPORTED } : undefined,
    );
    expect(await dcbPfc.read(without, TARGET)).toBeUndefined();
    const old = toolHost((tool) =>
      tool === "dcb" ? { exitCode: 1, stdout: "", stderr: 'Object "apptrust" is unknown\n' } : undefined,
    );
    expect(await dcbApptrust.read(old, TARGET)).toBeUndefined();
    const denied = toolHost(() => ({ exitCode: 1, stdout: "", stderr: "Operation not permitted\n" }));
    await expect(dcbPfc.read(denied, TARGET)).rejects.toThrow("dcb pfc show ended with 1");
  });

  it("is what the profile asks for, on the NICs that it names, by the tool that answered", () => {
    expect(dcbPfc.targets?.(FACTS, profileOf({}))).toEqual([TARGET]);
    expect(dcbPfc.targets?.(FACTS, sampleProfile())).toEqual([]);
    expect(decide(dcbPfc, { priorities: [] })).toMatchObject({ value: { priorities: [3] } });
    expect(decide(dcbPfc, { priorities: [] }, { pfcPriorities: [5, 3, 5] })).toMatchObject({
      value: { priorities: [3, 5] },
    });
    expect(dcbPfc.writes({ priorities: [3] }, TARGET, { priorities: [], tool: "mlnx_qos" })).toMatchObject([
      {
        command: ["mlnx_qos", "-i", "eno1", "--pfc", "0,0,0,1,0,0,0,0"],
        undo: ["mlnx_qos", "-i", "eno1", "--pfc", "0,0,0,0,0,0,0,0"],
      },
    ]);
    const [write] = dcbPfc.writes({ priorities: [3] }, TARGET, { priorities: [0], tool: "dcb" });
    expect(write?.kind === "tool" && write.command.join(" ")).toBe(
      "dcb pfc set dev eno1 prio-pfc 0:off 1:off 2:off 3:on 4:off 5:off 6:off 7:off",
    );
    expect(write?.kind === "tool" && write.undo.join(" ")).toContain("0:on 1:off 2:off 3:off");
    expect(dcbPfc.value.parse("3 4")).toEqual({ priorities: [3, 4] });
    expect(dcbPfc.value.safeParse("9").success).toBe(false);
  });
});

describe("dcb.apptrust", () => {
  it("reads both tools, and an empty order", () => {
    expect(parseTrust({ tool: "dcb", text: "order dscp pcp \n" })).toBe("dscp pcp");
    expect(parseTrust({ tool: "dcb", text: "order\n" })).toBe("");
    expect(parseTrust({ tool: "mlnx_qos", text: MLNX_QOS })).toBe("pcp");
    expect(parseTrust({ tool: "mlnx_qos", text: "?" })).toBeUndefined();
  });

  it("is what the profile trusts, and takes an order that was empty back", () => {
    expect(decide(dcbApptrust, { order: "pcp" })).toMatchObject({ value: { order: "dscp" } });
    expect(dcbApptrust.writes({ order: "dscp" }, TARGET, { order: "", tool: "dcb" })).toMatchObject([
      {
        command: ["dcb", "apptrust", "set", "dev", "eno1", "order", "dscp"],
        undo: ["dcb", "apptrust", "flush", "dev", "eno1", "order"],
      },
    ]);
  });
});

describe("settings of the RDMA connection manager", () => {
  it("act on the ports of the NICs that the profile wants lossless, where their folder was made", async () => {
    expect(defaultRoceTos.targets?.(FACTS, profileOf({}))).toEqual([PORT]);
    expect(defaultRoceTos.targets?.(FACTS, sampleProfile())).toEqual([]);
    await using root = await createHostRoot({
      "/sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_tos": "0\n",
      "/sys/kernel/config/rdma_cm/mlx5_0/ports/1/default_roce_mode": "IB/RoCE v1\n",
    });
    const host = openHost(root.root);
    expect(await defaultRoceTos.read(host, PORT)).toBe(0);
    expect(await defaultRoceMode.read(host, PORT)).toBe("IB/RoCE v1");
    expect(await defaultRoceTos.read(host, { name: "../x/1" })).toBeUndefined();
    expect(await defaultRoceTos.read(host, { name: "rxe0/1" })).toBeUndefined();
  });

  it("say the DSCP of the lossless priority with ECN, and version 2", () => {
    expect(decide(defaultRoceTos, 0, {}, PORT)).toMatchObject({ value: 106 });
    expect(decide(defaultRoceTos, 0, { pfcPriorities: [5] }, PORT)).toMatchObject({ value: 170 });
    expect(decide(defaultRoceTos, 0, { trust: "pcp" }, PORT).kind).toBe("leave");
    expect(decide(defaultRoceMode, "IB/RoCE v1", {}, PORT)).toMatchObject({ value: "RoCE v2" });
  });
});
