import { describe, expect, test } from "vitest";
import { busyHost } from "./busy-host.ts";
import { factsOf } from "./facts-of.ts";

describe("readRdma()", () => {
  test("reads a RoCE device with its port, its interface and its node, and soft-RoCE without hardware", async () => {
    const { rdma, unreadable } = await factsOf(busyHost());
    const port = {
      port: 1,
      physicalState: "LinkUp",
      linkLayer: "Ethernet",
      rate: "25 Gb/sec (1X EDR)",
      netdev: "enp65s0",
      gidTypes: ["IB/RoCE v1", "RoCE v2"],
    };
    expect(rdma).toEqual({
      devices: [
        {
          name: "mlx5_0",
          driver: "igb",
          pciAddress: "0000:41:00.0",
          node: 1,
          nodeGuid: "9803:9b03:0001:0002",
          firmware: "20.38.1002",
          isEfa: false,
          ports: [{ ...port, state: "ACTIVE" }],
        },
        {
          name: "rxe0",
          driver: null,
          pciAddress: null,
          node: null,
          nodeGuid: "5054:00ff:feb0:0001",
          firmware: null,
          isEfa: false,
          ports: [{ ...port, state: "DOWN" }],
        },
      ],
      netnsMode: "shared",
      peerMemoryModule: "nvidia_peermem",
      hasOpenNvidiaModule: true,
    });
    expect(unreadable.filter(({ path }) => path.includes("infiniband"))).toEqual([]);
  });

  test("has nothing on a host without RDMA, and knows the exclusive mode", async () => {
    expect((await factsOf({})).rdma).toEqual({
      devices: [],
      netnsMode: null,
      peerMemoryModule: null,
      hasOpenNvidiaModule: null,
    });
    const exclusive = { "/sys/module/ib_core/parameters/netns_mode": "N\n" };
    expect((await factsOf(exclusive)).rdma.netnsMode).toBe("exclusive");
  });

  test("notes a mode that it does not know", async () => {
    const path = "/sys/module/ib_core/parameters/netns_mode";
    const { rdma, unreadable } = await factsOf({ [path]: "2\n" });
    expect(rdma.netnsMode).toBeNull();
    expect(unreadable).toContainEqual({ path, because: "Neither Y nor N" });
  });
});
