import { describe, expect, it } from "vitest";
import { fsAioMaxNr } from "../../../host-tuning/knobs/fs-aio-max-nr.ts";
import { fsInotifyMaxUserInstances } from "../../../host-tuning/knobs/fs-inotify-max-user-instances.ts";
import { fsInotifyMaxUserWatches } from "../../../host-tuning/knobs/fs-inotify-max-user-watches.ts";
import { kernelKeysRootMaxbytes } from "../../../host-tuning/knobs/kernel-keys-root-maxbytes.ts";
import { kernelKeysRootMaxkeys } from "../../../host-tuning/knobs/kernel-keys-root-maxkeys.ts";
import { kernelNmiWatchdog } from "../../../host-tuning/knobs/kernel-nmi-watchdog.ts";
import { kernelPanicOnOops } from "../../../host-tuning/knobs/kernel-panic-on-oops.ts";
import { kernelPanic } from "../../../host-tuning/knobs/kernel-panic.ts";
import { kernelPidMax } from "../../../host-tuning/knobs/kernel-pid-max.ts";
import { kernelTimerMigration } from "../../../host-tuning/knobs/kernel-timer-migration.ts";
import { vmCompactionProactiveness } from "../../../host-tuning/knobs/vm-compaction-proactiveness.ts";
import { vmPanicOnOom } from "../../../host-tuning/knobs/vm-panic-on-oom.ts";
import { vmStatInterval } from "../../../host-tuning/knobs/vm-stat-interval.ts";
import { vmZoneReclaimMode } from "../../../host-tuning/knobs/vm-zone-reclaim-mode.ts";
import { GIB, decide, valueSet } from "../../helpers/decide.ts";

const NODE = { service: { runtime: "kubernetes" } } as const;

describe("what the kubelet wants exactly", () => {
  it.each([
    [kernelPanic, 0, 10],
    [kernelPanicOnOops, 0, 1],
    [vmPanicOnOom, 1, 0],
    [kernelKeysRootMaxkeys, 200, 1_000_000],
    [kernelKeysRootMaxbytes, 2_000_000, 25_000_000],
  ] as const)("%#: is set on a Kubernetes node and left elsewhere", (knob, current, value) => {
    expect(valueSet(knob, { current, profile: NODE }), knob.id).toBe(value);
    expect(decide(knob, { current }), knob.id).toMatchObject({ kind: "leave" });
  });

  it("keeps 25 bytes for each of root's keys, as the kernel's documentation has it", () => {
    const keys = Number(valueSet(kernelKeysRootMaxkeys, { current: 0, profile: NODE }));
    expect(valueSet(kernelKeysRootMaxbytes, { current: 0, profile: NODE })).toBe(25 * keys);
  });
});

describe("CPUs of the service's own", () => {
  const isolated = { cpu: { reserved: "0", isolation: "partition" } } as const;

  it("are spared the watchdog and keep their timers away; a preset alone is no reason", () => {
    expect(valueSet(kernelNmiWatchdog, { current: 1, profile: isolated })).toBe(0);
    expect(valueSet(kernelTimerMigration, { current: 0, profile: isolated })).toBe(1);
    expect(decide(kernelNmiWatchdog, { current: 1, profile: { preset: "latency" } })).toMatchObject({
      kind: "leave",
    });
    expect(decide(kernelTimerMigration, { current: 1, profile: { preset: "latency" } })).toMatchObject({
      kind: "leave",
    });
  });

  it("are interrupted for counters every 10 s, as with preset latency", () => {
    expect(valueSet(vmStatInterval, { current: 1, profile: isolated })).toBe(10);
    expect(valueSet(vmStatInterval, { current: 1, profile: { preset: "latency" } })).toBe(10);
    expect(valueSet(vmStatInterval, { current: 1 })).toBeUndefined();
    expect(valueSet(vmStatInterval, { current: 60, profile: isolated })).toBeUndefined();
  });
});

describe("memory that is moved and freed in the background", () => {
  it("vm.compaction_proactiveness is off for latency only", () => {
    expect(valueSet(vmCompactionProactiveness, { current: 20, profile: { preset: "latency" } })).toBe(0);
    expect(
      valueSet(vmCompactionProactiveness, { current: 20, profile: { preset: "throughput" } }),
    ).toBeUndefined();
  });

  it("vm.zone_reclaim_mode is off where there is another node to take from", () => {
    expect(valueSet(vmZoneReclaimMode, { current: 1 })).toBe(0);
    expect(valueSet(vmZoneReclaimMode, { current: 1, shape: { nodes: 1, nicNode: 0 } })).toBeUndefined();
  });
});

describe("what all pods of a node share", () => {
  it("kernel.pid_max is the kernel's most there, and 1024 for each CPU elsewhere", () => {
    expect(valueSet(kernelPidMax, { current: 32_768, profile: NODE })).toBe(4_194_304);
    expect(valueSet(kernelPidMax, { current: 32_768 })).toBe(32_768);
    expect(valueSet(kernelPidMax, { current: 32_768, shape: { cpus: 96 } })).toBe(131_072);
    expect(valueSet(kernelPidMax, { current: 4_194_304 })).toBeUndefined();
    expect(kernelPidMax.value.safeParse(4_194_305).success).toBe(false);
  });

  it("fs.aio-max-nr is raised there only, and never lowered", () => {
    expect(valueSet(fsAioMaxNr, { current: 65_536, profile: NODE })).toBe(1_048_576);
    expect(valueSet(fsAioMaxNr, { current: 65_536 })).toBeUndefined();
    expect(valueSet(fsAioMaxNr, { current: 2_097_152, profile: NODE })).toBeUndefined();
  });

  it("inotify goes by pods or CPUs, and watches by memory", () => {
    expect(valueSet(fsInotifyMaxUserInstances, { current: 128, profile: NODE })).toBe(8192);
    expect(valueSet(fsInotifyMaxUserInstances, { current: 128 })).toBe(512);
    expect(valueSet(fsInotifyMaxUserInstances, { current: 128, shape: { cpus: 256 } })).toBe(2048);
    expect(valueSet(fsInotifyMaxUserWatches, { current: 8192 })).toBe(524_288);
    expect(valueSet(fsInotifyMaxUserWatches, { current: 8192, shape: { memoryBytes: 2 * GIB } })).toBe(
      32_768,
    );
    expect(valueSet(fsInotifyMaxUserWatches, { current: 8192, shape: { memoryBytes: GIB / 8 } })).toBe(8192);
  });
});
