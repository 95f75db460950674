import { describe, expect, it } from "vitest";
import { ksmRun } from "../../../host-tuning/knobs/ksm-run.ts";
import { systemdCpuweight } from "../../../host-tuning/knobs/systemd-cpuweight.ts";
import { systemdIoweight } from "../../../host-tuning/knobs/systemd-ioweight.ts";
import { systemdLimitMemlock } from "../../../host-tuning/knobs/systemd-limit-memlock.ts";
import { systemdMemoryHigh } from "../../../host-tuning/knobs/systemd-memory-high.ts";
import { systemdMemoryMax } from "../../../host-tuning/knobs/systemd-memory-max.ts";
import { systemdOomscoreAdjust } from "../../../host-tuning/knobs/systemd-oomscore-adjust.ts";
import { systemdTasksMax } from "../../../host-tuning/knobs/systemd-tasks-max.ts";
import { transparentHugepageKhugepagedDefrag } from "../../../host-tuning/knobs/transparent-hugepage-khugepaged-defrag.ts";
import { transparentHugepageKhugepagedMaxPtesNone } from "../../../host-tuning/knobs/transparent-hugepage-khugepaged-max-ptes-none.ts";
import { transparentHugepageShmemEnabled } from "../../../host-tuning/knobs/transparent-hugepage-shmem-enabled.ts";
import { zramDisksize } from "../../../host-tuning/knobs/zram-disksize.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleDisk } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

const SERVICE = { name: "mcp-service.service" };
const CGROUP = "/sys/fs/cgroup/system.slice/mcp-service.service";
const UNIT = "/etc/systemd/system/mcp-service.service";
const SYSTEMD = {
  "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
  [UNIT]: "[Service]\nExecStart=/x\n",
} as const;

describe("systemd.TasksMax", () => {
  it("gives every CPU a worker with its tools, and only raises", () => {
    expect(valueSet(systemdTasksMax, { current: "1000" })).toBe("1536");
    expect(valueSet(systemdTasksMax, { current: "4915" })).toBeUndefined();
    expect(decide(systemdTasksMax, { current: "infinity" }).because).toContain(
      "no limit, more than the 1536",
    );
    expect(systemdTasksMax.value.safeParse("infinity").success).toBe(false);
  });

  it("reads the cgroup, and what systemd gives by itself where the service is not running", async () => {
    await using root = await createHostRoot({
      ...SYSTEMD,
      "/proc/sys/kernel/pid_max": "4194304\n",
      "/proc/sys/kernel/threads-max": "10000\n",
    });
    const host = openHost(root.root);
    expect(await systemdTasksMax.read(host, SERVICE)).toBe("1500");
    await root.write(`${UNIT}.d/a.conf`, "[Service]\nTasksMax=50%\n");
    expect(await systemdTasksMax.read(host, SERVICE)).toBe("5000");
    await root.write(`${CGROUP}/pids.max`, "max\n");
    expect(await systemdTasksMax.read(host, SERVICE)).toBe("infinity, 5000 after a reload");
    expect(systemdTasksMax.isSatisfied?.("infinity, 5000 after a reload", "5000")).toBe(false);
  });
});

describe("systemd.CPUWeight and IOWeight", () => {
  it("weigh the service up for latency alone, and where something looks at weights", () => {
    const latency = { preset: "latency" } as const;
    expect(valueSet(systemdCpuweight, { profile: latency, current: "100" })).toBe("1000");
    expect(valueSet(systemdCpuweight, { current: "100" })).toBeUndefined();
    expect(valueSet(systemdCpuweight, { profile: latency, current: "5000" })).toBeUndefined();
    const isolated = { ...latency, cpu: { isolation: "partition" as const } };
    expect(valueSet(systemdCpuweight, { profile: isolated, current: "100" })).toBeUndefined();
    const facts = { ...factsOfShape(), blockDevices: [sampleDisk({ name: "sda", scheduler: "bfq" })] };
    expect(valueSet(systemdIoweight, { facts, profile: latency, current: "100" })).toBe("1000");
    expect(decide(systemdIoweight, { profile: latency, current: "100" }).because).toContain("bfq");
  });

  it("read the kernel's form of io.weight", async () => {
    await using root = await createHostRoot({
      ...SYSTEMD,
      [`${CGROUP}/io.weight`]: "default 100\n8:0 500\n",
    });
    expect(await systemdIoweight.read(openHost(root.root), SERVICE)).toBe("100");
  });
});

describe("systemd.MemoryHigh and MemoryMax", () => {
  it("are set around a stated working set, and never guessed", () => {
    const profile = { service: { memoryBytes: 4 * GIB } };
    expect(valueSet(systemdMemoryHigh, { profile, current: "infinity" })).toBe(String(5 * GIB));
    expect(valueSet(systemdMemoryMax, { profile, current: "infinity" })).toBe(String(6 * GIB));
    for (const knob of [systemdMemoryHigh, systemdMemoryMax]) {
      expect(decide(knob, { current: "infinity" }).because).toContain("a guessed limit kills");
      expect(decide(knob, { profile, current: "1073741824" }).because).toContain("somebody chose");
      const all = { service: { memoryBytes: 63 * GIB } };
      expect(valueSet(knob, { profile: all, current: "infinity" })).toBeUndefined();
    }
  });

  it("are the same to a kernel that rounds to pages", async () => {
    await using root = await createHostRoot({
      ...SYSTEMD,
      [`${UNIT}.d/a.conf`]: "[Service]\nMemoryHigh=900000000\nMemoryMax=2G\n",
      [`${CGROUP}/memory.high`]: "899997696\n",
      [`${CGROUP}/memory.max`]: "2147483648\n",
    });
    const host = openHost(root.root);
    expect(await systemdMemoryHigh.read(host, SERVICE)).toBe("900000000");
    expect(await systemdMemoryMax.read(host, SERVICE)).toBe("2147483648");
  });
});

describe("systemd.LimitMEMLOCK and OOMScoreAdjust", () => {
  it("let the service lock the host's memory where an RDMA device is", () => {
    const facts = factsOfShape();
    const device = {
      name: "efa_0",
      driver: "efa",
      pciAddress: null,
      node: 0,
      nodeGuid: null,
      firmware: null,
      isEfa: true,
      ports: [],
    };
    const withEfa = { ...facts, rdma: { ...facts.rdma, devices: [device] } };
    const bytes = facts.memory.totalBytes;
    expect(valueSet(systemdLimitMemlock, { facts: withEfa, current: "8388608:8388608" })).toBe(
      `${bytes}:${bytes}`,
    );
    expect(valueSet(systemdLimitMemlock, { facts: withEfa, current: "infinity:infinity" })).toBeUndefined();
    expect(valueSet(systemdLimitMemlock, { current: "8388608:8388608" })).toBeUndefined();
  });

  it("protect from the OOM killer only a service that has a limit of its own", () => {
    const profile = { service: { memoryBytes: 4 * GIB } };
    expect(valueSet(systemdOomscoreAdjust, { profile, current: "0" })).toBe("-500");
    expect(valueSet(systemdOomscoreAdjust, { profile, current: "-900" })).toBeUndefined();
    expect(decide(systemdOomscoreAdjust, { current: "0" }).because).toContain("stays the first to be killed");
  });
});

describe("zram/disksize", () => {
  const zram = { swap: "zram" } as const;

  it("is half of the memory, within bounds, on the profile's word", () => {
    const sized = (memoryBytes: number): unknown =>
      valueSet(zramDisksize, { shape: { memoryBytes }, profile: zram, current: 0 });
    expect(sized(4 * GIB)).toBe(2 * GIB);
    expect(sized(64 * GIB)).toBe(8 * GIB);
    expect(valueSet(zramDisksize, { current: 0 })).toBeUndefined();
  });

  it("leaves a host that has swap", () => {
    expect(decide(zramDisksize, { shape: { swapBytes: GIB }, profile: zram, current: 0 }).because).toContain(
      "somebody set up",
    );
    expect(valueSet(zramDisksize, { profile: zram, current: GIB })).toBeUndefined();
  });

  it("reads the device that is in use as swap, and knows whether the kernel has the module", async () => {
    await using root = await createHostRoot({
      "/proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n",
      "/proc/sys/kernel/osrelease": "6.1.0-40-amd64\n",
    });
    const host = openHost(root.root);
    expect(await zramDisksize.read(host, { name: "" })).toBeUndefined();
    await root.write(
      "/lib/modules/6.1.0-40-amd64/modules.dep",
      "kernel/drivers/block/zram/zram.ko: kernel/mm/zsmalloc.ko\n",
    );
    expect(await zramDisksize.read(host, { name: "" })).toBe(0);
    await root.write("/sys/block/zram0/disksize", "1073741824\n");
    expect(await zramDisksize.read(host, { name: "" })).toBe(0);
    await root.write(
      "/proc/swaps",
      "Filename\tType\tSize\tUsed\tPriority\n/dev/zram0 partition 1048572 0 100\n",
    );
    expect(await zramDisksize.read(host, { name: "" })).toBe(1_073_741_824);
  });
});

describe("sharing pages and making huge ones", () => {
  it("stops KSM for latency, and never unmerges", () => {
    expect(valueSet(ksmRun, { profile: { preset: "latency" }, current: 1 })).toBe(0);
    expect(valueSet(ksmRun, { current: 1 })).toBeUndefined();
    expect(valueSet(ksmRun, { profile: { preset: "latency" }, current: 2 })).toBeUndefined();
    expect(ksmRun.value.safeParse(2).success).toBe(false);
  });

  it("gives shared memory huge pages to who asks", () => {
    const maps = { workload: { usesMemoryMaps: true } };
    expect(valueSet(transparentHugepageShmemEnabled, { profile: maps, current: "never" })).toBe("advise");
    expect(valueSet(transparentHugepageShmemEnabled, { current: "never" })).toBeUndefined();
    expect(valueSet(transparentHugepageShmemEnabled, { current: "always" })).toBe("advise");
    expect(valueSet(transparentHugepageShmemEnabled, { profile: maps, current: "deny" })).toBeUndefined();
  });

  it("keeps the background thread from growing sparse heaps, and for latency from compacting", () => {
    const knob = transparentHugepageKhugepagedMaxPtesNone;
    expect(valueSet(knob, { current: 511 })).toBe(64);
    expect(valueSet(knob, { current: 0 })).toBeUndefined();
    expect(valueSet(knob, { profile: { preset: "throughput" }, current: 511 })).toBeUndefined();
    const latency = { preset: "latency" } as const;
    expect(valueSet(transparentHugepageKhugepagedDefrag, { profile: latency, current: 1 })).toBe(0);
    expect(valueSet(transparentHugepageKhugepagedDefrag, { current: 1 })).toBeUndefined();
  });
});
