import { describe, expect, test } from "vitest";
import { blockKind, parseScheduler } from "../../../host-tuning/facts/block-devices.ts";
import { pciAddressOf } from "../../../host-tuning/facts/pci.ts";
import { busyHost, pciDevice } from "./busy-host.ts";
import { factsOf } from "./facts-of.ts";

describe("readBlockDevices()", () => {
  test("reads whole devices, no partition and no loop device that nothing is bound to", async () => {
    const { blockDevices } = await factsOf(busyHost());
    expect(blockDevices.map(({ name, kind }) => `${name} ${kind}`)).toEqual([
      "loop1 loop",
      "md0 md",
      "nvme0n1 nvme",
      "nvme1c1n1 nvme",
      "nvme1c2n1 nvme",
      "nvme1n1 nvme-multipath",
      "sda scsi",
    ]);
  });

  test("reads an NVMe disk", async () => {
    const { blockDevices } = await factsOf(busyHost());
    expect(blockDevices.find(({ name }) => name === "nvme0n1")).toEqual({
      name: "nvme0n1",
      kind: "nvme",
      model: "SAMSUNG MZQL21T9HCJR-00A07",
      sizeBytes: 3_750_748_848 * 512,
      logicalBlockBytes: 512,
      isRotational: false,
      isReadOnly: false,
      pciAddress: "0000:01:00.0",
      node: 0,
      scheduler: "none",
      schedulers: ["none", "mq-deadline"],
      hardwareQueues: 3,
      transport: "pcie",
      wwid: null,
      maxHwSectorsKiB: null,
      members: [],
      holders: [],
    });
  });

  test("a multipath head has no queue of its own, the scheduler none and its controllers' transport", async () => {
    const { blockDevices } = await factsOf(busyHost());
    expect(blockDevices.find(({ name }) => name === "nvme1n1")).toMatchObject({
      model: "Dual port disk",
      pciAddress: null,
      scheduler: "none",
      schedulers: ["none"],
      hardwareQueues: 0,
      transport: "pcie",
    });
    expect(blockDevices.find(({ name }) => name === "nvme1c2n1")?.pciAddress).toBe("0000:62:00.0");
  });

  test("takes devices that only /sys/class/block has, without their partitions", async () => {
    const { blockDevices } = await factsOf({
      ...pciDevice("0000:00:02.0", {
        "block/nvme0n1/size": "16\n",
        "block/nvme0n1/nvme0n1p1/partition": "1\n",
        "block/nvme0n1/nvme0n1p1/size": "8\n",
      }),
      "/sys/class/block/nvme0n1": { link: "../../devices/pci0000:00/0000:00:02.0/block/nvme0n1" },
      "/sys/class/block/nvme0n1p1": { link: "../../devices/pci0000:00/0000:00:02.0/block/nvme0n1/nvme0n1p1" },
    });
    expect(blockDevices).toMatchObject([{ name: "nvme0n1", sizeBytes: 8192 }]);
  });

  test("says so when a size is none", async () => {
    const { blockDevices, unreadable } = await factsOf({
      "/sys/block/sda/size": "9007199254740990\n",
      "/sys/block/sdb/size": "-8\n",
    });
    expect(blockDevices.map(({ sizeBytes }) => sizeBytes)).toEqual([0, 0]);
    expect(unreadable.map(({ path }) => path)).toEqual(
      expect.arrayContaining(["/sys/block/sda/size", "/sys/block/sdb/size"]),
    );
  });
});

describe("parseScheduler()", () => {
  test.each([
    ["none [mq-deadline] kyber bfq\n", "mq-deadline", ["none", "mq-deadline", "kyber", "bfq"]],
    ["noop deadline [cfq]", "cfq", ["noop", "deadline", "cfq"]],
    ["none\n", "none", ["none"]],
    ["none mq-deadline", null, ["none", "mq-deadline"]],
  ])("reads %j", (text, scheduler, schedulers) => {
    expect(parseScheduler(text)).toEqual({ scheduler, schedulers });
  });

  test.each(["", "[]", "no/ne", "[none"])("does not take %j", (text) => {
    expect(parseScheduler(text)).toBeUndefined();
  });
});

describe("blockKind()", () => {
  test.each([
    ["vda", "virtio"],
    ["sdaa", "scsi"],
    ["xvdf", "xen"],
    ["md127", "md"],
    ["md_d0", "md"],
    ["dm-3", "dm"],
    ["ram0", "ram"],
    ["sr0", "other"],
    ["zram0", "other"],
    ["pmem0.1s", "other"],
  ])("%s is %s", (name, kind) => {
    expect(blockKind(name, `/sys/devices/x/${name}`)).toBe(kind);
  });
});

describe("readGpus()", () => {
  test("reads NVIDIA's and AMD's cards and none of the displays of a VM or a baseboard", async () => {
    const { gpus } = await factsOf(busyHost());
    expect(gpus).toEqual([
      {
        pciAddress: "0000:c1:00.0",
        vendorId: "10de",
        deviceId: "2330",
        vendor: "NVIDIA",
        pciClass: "0x030200",
        node: 1,
        driver: "nvidia",
        driverVersion: null,
        model: null,
        linkSpeed: "2.5 GT/s PCIe",
        linkWidth: 16,
        maxLinkSpeed: "32.0 GT/s PCIe",
        maxLinkWidth: 16,
        isLinkNarrow: false,
      },
      {
        pciAddress: "0000:c2:00.0",
        vendorId: "1002",
        deviceId: "74a1",
        vendor: "AMD",
        pciClass: "0x120000",
        node: 1,
        driver: null,
        driverVersion: null,
        model: null,
        linkSpeed: null,
        linkWidth: null,
        maxLinkSpeed: null,
        maxLinkWidth: null,
        isLinkNarrow: null,
      },
    ]);
  });

  test("reads the driver's version and name for it, and a link with fewer lanes than the GPU has", async () => {
    const { gpus } = await factsOf({
      ...pciDevice(
        "0000:06:00.0",
        {
          class: "0x030200\n",
          vendor: "0x10de\n",
          device: "0x2330\n",
          current_link_width: "8\n",
          max_link_width: "16\n",
        },
        "nvidia",
      ),
      "/sys/module/nvidia/version": "580.65.06\n",
      "/proc/driver/nvidia/gpus/0000:06:00.0/information":
        "Model: \t\t NVIDIA H100 80GB HBM3\nIRQ:   \t\t 171\nGPU UUID: \t GPU-1\n",
    });
    expect(gpus).toMatchObject([
      { driverVersion: "580.65.06", model: "NVIDIA H100 80GB HBM3", isLinkNarrow: true },
    ]);
  });

  test("a link that is not there has no speed and no width", async () => {
    const { gpus } = await factsOf(
      pciDevice("0000:06:00.0", {
        class: "0x030000\n",
        vendor: "0x8086\n",
        device: "0x56c0\n",
        current_link_speed: "Unknown\n",
        current_link_width: "0\n",
        max_link_width: "255\n",
      }),
    );
    expect(gpus).toMatchObject([
      { vendor: "Intel", linkSpeed: null, linkWidth: null, maxLinkSpeed: null, maxLinkWidth: null },
    ]);
  });
});

describe("readPciDevices()", () => {
  const NODES = {
    "/sys/devices/system/node/node0/cpulist": "0-1\n",
    "/sys/devices/system/node/node1/cpulist": "2-3\n",
  };
  const gpu = (files: Readonly<Record<string, string>>): ReturnType<typeof pciDevice> =>
    pciDevice("0000:06:00.0", {
      class: "0x030000\n",
      vendor: "0x10de\n",
      device: "0x2330\n",
      ...files,
    });
  test.each([
    ["numa_node", { numa_node: "1\n" }, 1],
    ["its local CPUs where numa_node is -1", { numa_node: "-1\n", local_cpulist: "2-3\n" }, 1],
    ["its mask of local CPUs", { local_cpus: "00000000,0000000c\n" }, 1],
    ["nothing when all CPUs are local", { numa_node: "-1\n", local_cpulist: "0-3\n" }, null],
    ["nothing at all", {}, null],
  ])("takes the node from %s", async (_, files, node) => {
    const { gpus } = await factsOf({ ...NODES, ...gpu(files) });
    expect(gpus[0]?.node).toBe(node);
  });

  test("says so when a device names a node that the host does not have", async () => {
    const { gpus, unreadable } = await factsOf({ ...NODES, ...gpu({ numa_node: "7\n" }) });
    expect(gpus[0]?.node).toBeNull();
    expect(unreadable).toContainEqual({
      path: "/sys/bus/pci/devices/0000:06:00.0/numa_node",
      because: "Names node 7, which this host does not have",
    });
  });
});

describe("pciAddressOf()", () => {
  test.each([
    ["/sys/devices/pci0000:00/0000:00:01.1/0000:02:00.0/net/eth0", "0000:02:00.0"],
    ["/sys/devices/pci0000:00/0000:00:03.0/virtio0", "0000:00:03.0"],
    ["/sys/devices/pci10000:00/10000:00:02.0/nvme/nvme0", "10000:00:02.0"],
    ["/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1", null],
    ["/sys/devices/virtual/net/br0", null],
  ])("%s", (path, expected) => {
    expect(pciAddressOf(path)).toBe(expected);
  });
});
