import { describe, expect, test } from "vitest";
import { parseDefaultRoutes4, parseDefaultRoutes6 } from "../../../host-tuning/facts/default-routes.ts";
import { FactReader } from "../../../host-tuning/facts/fact-reader.ts";
import type { NicFacts } from "../../../host-tuning/facts/host-facts.ts";
import { queueIrqs, readNics } from "../../../host-tuning/facts/nics.ts";
import type { Host } from "../../../host-tuning/sys/host.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { busyHost, pciDevice } from "./busy-host.ts";
import { ENA_STATISTICS } from "../knobs/ethtool-output.ts";
import { factsOf, hostFailingAt, readFailure } from "./facts-of.ts";

/** The methods of a host as plain functions, so that one can be replaced. */
function bound(host: Host): Host {
  return {
    root: host.root,
    isLive: host.isLive,
    readText: (path) => host.readText(path),
    list: (path) => host.list(path),
    exists: (path) => host.exists(path),
    realPath: (path) => host.realPath(path),
    readLink: (path) => host.readLink(path),
    writeKernelFile: (path, text) => host.writeKernelFile(path, text),
    writeConfigFile: (path, text) => host.writeConfigFile(path, text),
    runTool: (tool, args) => host.runTool(tool, args),
  };
}

async function nicsByName(): Promise<Record<string, NicFacts>> {
  const { nics } = await factsOf(busyHost());
  return Object.fromEntries(nics.map((nic) => [nic.name, nic]));
}

describe("readNics()", () => {
  test("reads a physical NIC with its queues, interrupts and SR-IOV", async () => {
    expect((await nicsByName())["eno1"]).toEqual({
      name: "eno1",
      driver: "ice",
      pciAddress: "0000:81:00.0",
      node: 1,
      macAddress: "3c:ec:ef:12:34:56",
      speedMbitPerSec: 25_000,
      mtuBytes: 1500,
      operState: "up",
      isPhysical: true,
      isVirtualFunction: false,
      carriesDefaultRoute: false,
      rxQueues: 8,
      txQueues: 8,
      irqs: [64, 65, 66, 67, 68, 69, 70, 71],
      sriov: { totalVirtualFunctions: 64, virtualFunctions: 0, functions: [] },
      kind: "device",
      master: null,
      lower: [],
      isForwarding: false,
      exceeded: {},
    });
  });

  test("finds the PCI function behind virtio, its queue interrupts and no speed", async () => {
    expect((await nicsByName())["ens3"]).toMatchObject({
      driver: "virtio_net",
      pciAddress: "0000:00:03.0",
      node: null,
      speedMbitPerSec: null,
      isPhysical: true,
      irqs: [81, 82],
      sriov: null,
    });
  });

  test("tells a virtual function and a representor from their physical function", async () => {
    const nics = await nicsByName();
    expect(nics["enp65s0"]).toMatchObject({
      isPhysical: true,
      isVirtualFunction: false,
      sriov: {
        totalVirtualFunctions: 7,
        virtualFunctions: 1,
        functions: [
          {
            index: 0,
            pciAddress: "0000:41:10.0",
            driver: "igbvf",
            netdev: "enp65s0v0",
            hasIommuGroup: true,
          },
        ],
      },
    });
    expect(nics["enp65s0v0"]).toMatchObject({ isPhysical: true, isVirtualFunction: true, sriov: null });
    expect(nics["enp65s0_0"]).toMatchObject({ isPhysical: false, isVirtualFunction: false, sriov: null });
  });

  test("follows the default route from the bridge through the bond to the wire, and to no container", async () => {
    const nics = Object.values(await nicsByName());
    expect(nics.filter((nic) => nic.carriesDefaultRoute).map(({ name }) => name)).toEqual([
      "bond0",
      "br0",
      "enp65s0",
    ]);
    expect(nics.filter((nic) => !nic.isPhysical).map(({ name }) => name)).toEqual([
      "bond0",
      "br0",
      "enp65s0_0",
      "lo",
      "veth1",
    ]);
  });

  test("calls a bond a bond and its ports physical, by the names that the kernel really has", async () => {
    const nics = await nicsByName();
    expect(nics["bond0"]).toMatchObject({
      kind: "bond",
      master: "br0",
      lower: ["enp65s0"],
      isPhysical: false,
    });
    expect(nics["br0"]).toMatchObject({ kind: "bridge", master: null, lower: ["bond0", "veth1"] });
    expect(nics["enp65s0"]).toMatchObject({ kind: "device", master: "bond0", isPhysical: true });
    expect(nics["bonding_masters"]).toBeUndefined();
  });

  test("says which interfaces hand packets on: routers of either family, ports of a bridge", async () => {
    const nics = Object.values(await nicsByName());
    expect(nics.filter((nic) => nic.isForwarding).map(({ name }) => name)).toEqual([
      "bond0",
      "ens3",
      "veth1",
    ]);
  });

  test("names the allowances of the instance type that an ENA device has exceeded", async () => {
    await using root = await createHostRoot({
      ...pciDevice("0000:00:05.0", { class: "0x020000\n" }, "ena"),
      "/sys/class/net/ens5": { link: "../../devices/pci0000:00/0000:00:05.0/net/ens5" },
      "/sys/devices/pci0000:00/0000:00:05.0/net/ens5/device": { link: "../../../0000:00:05.0" },
    });
    // Stands in for ethtool on a device that this machine lacks.
    const host = {
      ...bound(openHost(root.root)),
      runTool: () => Promise.resolve({ exitCode: 0, stdout: ENA_STATISTICS, stderr: "" }),
    };
    const nics = await readNics(new FactReader(host), new Map(), []);
    expect(nics[0]?.exceeded).toEqual({ bw_out_allowance_exceeded: 52_145, pps_allowance_exceeded: 7 });
  });

  test("takes interrupts by name for a NIC that is not on PCI", async () => {
    const { nics } = await factsOf({
      "/sys/class/net/eth0": { link: "../../devices/vif-0/net/eth0" },
      "/sys/devices/vif-0/net/eth0/device": { link: "../../../vif-0" },
      "/sys/devices/vif-0/uevent": "DRIVER=vif\n",
      "/sys/kernel/irq/70/actions": "eth0-q0-tx\n",
      "/sys/kernel/irq/71/actions": "eth0-q0-rx\n",
      "/sys/kernel/irq/72/actions": "eth01-q0-rx\n",
    });
    expect(nics).toMatchObject([{ name: "eth0", driver: "vif", pciAddress: null, irqs: [70, 71] }]);
  });

  test("does not call the controller of a USB NIC its PCI function", async () => {
    const { nics } = await factsOf({
      ...pciDevice("0000:00:14.0", { class: "0x0c0330\n", "usb1/1-1/1-1:1.0/net/usb0/mtu": "1500\n" }),
      "/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/net/usb0/device": { link: "../../../1-1:1.0" },
      "/sys/class/net/usb0": { link: "../../devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/net/usb0" },
    });
    expect(nics).toMatchObject([{ name: "usb0", isPhysical: true, pciAddress: null }]);
  });

  test("a link that is down has no speed, which is no fault; any other failure is one", async () => {
    await using root = await createHostRoot(busyHost());
    const path = "/sys/class/net/eno1/speed";
    const read = async (code: string): Promise<{ speed: number | null | undefined; unreadable: unknown }> => {
      const reader = new FactReader(hostFailingAt(openHost(root.root), path, readFailure(path, code)));
      const nics = await readNics(reader, new Map(), []);
      return {
        speed: nics.find(({ name }) => name === "eno1")?.speedMbitPerSec,
        unreadable: reader.unreadable(),
      };
    };
    expect(await read("EINVAL")).toEqual({ speed: null, unreadable: [] });
    expect(await read("EIO")).toEqual({
      speed: null,
      unreadable: [{ path, because: "EIO (as the kernel says)" }],
    });
  });
});

describe("queueIrqs()", () => {
  const named = (...actions: readonly string[]): { irq: number; action: string }[] =>
    actions.map((action, index) => ({ irq: 100 - index, action }));
  test.each([
    ["igb", named("enp1s0", "enp1s0-TxRx-0", "enp1s0-TxRx-1"), [98, 99]],
    ["ena", named("ena-mgmnt@pci:0000:00:05.0", "ens5-Tx-Rx-0", "ens5-Tx-Rx-1"), [98, 99]],
    ["mlx5", named("mlx5_async0@pci:0000:01:00.0", "mlx5_comp0@pci:0000:01:00.0"), [99]],
    ["bnx2x", named("eth0-sp-1", "eth0-fp-0"), [99]],
    ["bnxt", named("bnxt_en-eth0-TxRx-0"), [100]],
    ["iavf", named("iavf-0000:00:06.0:mbx", "iavf-eth1-TxRx-0"), [99]],
    ["gve", named("gve-mgmnt@pci:0000:00:04.0", "gve-ntfy-blk0@pci:0000:00:04.0"), [99]],
    ["virtio", named("virtio0-config", "virtio0-input.0", "virtio0-output.0"), [98, 99]],
    ["one vector", named("eth0"), [100]],
    ["only its own service", named("nic-mgmnt"), []],
  ])("finds the queues of %s", (_, irqs, expected) => {
    expect(queueIrqs(irqs)).toEqual(expected);
  });
});

describe("parseDefaultRoutes4()", () => {
  test("takes usable default routes and no other", () => {
    const head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\n";
    const route = (name: string, destination: string, flags: string, mask: string): string =>
      `${name}\t${destination}\t0101A8C0\t${flags}\t0\t0\t0\t${mask}\t0\t0\t0\n`;
    const text =
      head +
      route("eth0", "00000000", "0003", "00000000") +
      route("eth1", "00000000", "0003", "00000080") +
      route("eth2", "0000A8C0", "0001", "00000000") +
      route("eth3", "00000000", "0200", "00000000") +
      route("eth4", "00000000", "0201", "00000000") +
      route("eth5", "00000000", "zz", "00000000");
    expect([...parseDefaultRoutes4(text)]).toEqual(["eth0"]);
    expect(parseDefaultRoutes4("").size).toBe(0);
  });
});

describe("parseDefaultRoutes6()", () => {
  test("passes over the rejecting route on lo", () => {
    const none = "0".repeat(32);
    const text = [
      `${none} 00 ${none} 00 fe800000000000000000000000000001 00000400 00000001 00000000 00000003     eth0`,
      `${none} 00 ${none} 00 ${none} ffffffff 00000001 00000000 00200200       lo`,
      `fe80${"0".repeat(28)} 40 ${none} 00 ${none} 00000100 00000001 00000000 00000001     eth1`,
    ].join("\n");
    expect([...parseDefaultRoutes6(text)]).toEqual(["eth0"]);
  });
});
