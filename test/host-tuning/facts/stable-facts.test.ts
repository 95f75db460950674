import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostRoot, type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { stableFacts } from "../../../host-tuning/facts/stable-facts.ts";
import { busyHost, pciDevice } from "./busy-host.ts";

const NIC = "/sys/devices/pci0000:80/0000:80:02.0/0000:81:00.0";

describe("stableFacts()", () => {
  const tree = busyHost();
  let host: HostRoot;
  let before: HostFacts;
  beforeAll(async () => {
    host = await createHostRoot(tree);
    before = await readFacts(openHost(host.root));
  });
  afterAll(() => host[Symbol.asyncDispose]());

  /** Facts with these files in place, which then are as they were. */
  async function factsWith(files: HostTree): Promise<HostFacts> {
    const changed = Object.entries(files);
    try {
      for (const [path, entry] of changed) {
        await host.remove(path);
        await host.write(path, entry);
      }
      return await readFacts(openHost(host.root));
    } finally {
      for (const [path] of changed) {
        await host.remove(path);
        const entry = tree[path];
        if (entry !== undefined) await host.write(path, entry);
      }
    }
  }

  test.each<[what: string, files: HostTree]>([
    ["hugepages", { "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages": "512\n" }],
    [
      "a scheduler",
      {
        "/sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0/nvme/nvme0/nvme0n1/queue/scheduler":
          "none [mq-deadline]\n",
      },
    ],
    [
      "an affinity",
      { "/proc/irq/64/smp_affinity_list": "4\n", "/proc/irq/64/effective_affinity_list": "4\n" },
    ],
    ["an MTU", { [`${NIC}/net/eno1/mtu`]: "9000\n" }],
    ["a link that went down", { [`${NIC}/net/eno1/operstate`]: "down\n", [`${NIC}/net/eno1/speed`]: "-1\n" }],
    [
      "a virtual function made by us",
      {
        [`${NIC}/sriov_numvfs`]: "1\n",
        ...pciDevice("0000:81:01.0", { class: "0x020000\n", physfn: { link: "../0000:81:00.0" } }),
        "/sys/class/net/eno1v0": { link: "../../devices/pci0000:81/0000:81:01.0/net/eno1v0" },
        "/sys/devices/pci0000:81/0000:81:01.0/net/eno1v0/device": { link: "../../../0000:81:01.0" },
      },
    ],
    [
      "a container's veth",
      {
        "/sys/class/net/veth9": { link: "../../devices/virtual/net/veth9" },
        "/sys/devices/virtual/net/veth9/mtu": "1500\n",
      },
    ],
    [
      "a RAID that was made",
      {
        "/sys/block/md9": { link: "../devices/virtual/block/md9" },
        "/sys/devices/virtual/block/md9/size": "4096\n",
      },
    ],
    ["our own file", { "/etc/sysctl.d/90-bedplate.conf": "vm.max_map_count = 1\n" }],
    [
      "swap",
      {
        "/proc/meminfo":
          "MemTotal:       67108864 kB\nSwapTotal:       4096 kB\nHugepagesize:       2048 kB\n",
      },
    ],
  ])("does not change with %s", async (_, files) => {
    const after = await factsWith(files);
    expect(after).not.toEqual(before);
    expect(stableFacts(after)).toEqual(stableFacts(before));
  });

  test.each<[what: string, files: HostTree]>([
    ["a CPU that went offline", { "/sys/devices/system/cpu/online": "0-14\n" }],
    ["another kernel", { "/proc/sys/kernel/osrelease": "6.12.0\n" }],
    ["another owner", { "/etc/sysctl.d/99-z.conf": "vm.swappiness = 99\n" }],
    ["a NIC on another node", { [`${NIC}/numa_node`]: "0\n" }],
    ["a new GPU", pciDevice("0000:c3:00.0", { class: "0x030200\n", vendor: "0x10de\n", device: "0x2330\n" })],
  ])("changes with %s", async (_, files) => {
    const after = await factsWith(files);
    expect(stableFacts(after)).not.toEqual(stableFacts(before));
  });
});
