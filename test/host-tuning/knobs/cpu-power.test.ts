import { describe, expect, it } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { clocksourceCurrentClocksource } from "../../../host-tuning/knobs/clocksource-current-clocksource.ts";
import { cpuDmaLatency } from "../../../host-tuning/knobs/cpu-dma-latency.ts";
import { cpufreqBoost } from "../../../host-tuning/knobs/cpufreq-boost.ts";
import { energyPerfBias } from "../../../host-tuning/knobs/energy-perf-bias.ts";
import { energyPerformancePreference } from "../../../host-tuning/knobs/energy-performance-preference.ts";
import { intelPstateMinPerfPct } from "../../../host-tuning/knobs/intel-pstate-min-perf-pct.ts";
import { intelPstateNoTurbo } from "../../../host-tuning/knobs/intel-pstate-no-turbo.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import { platformProfile } from "../../../host-tuning/knobs/platform-profile.ts";
import { pmQosResumeLatencyUs } from "../../../host-tuning/knobs/pm-qos-resume-latency-us.ts";
import { smtControl } from "../../../host-tuning/knobs/smt-control.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";
import { type HostTree, createHostRoot, readTree } from "../../helpers/host-root.ts";
import { toolHost } from "../../helpers/tool-host.ts";

const PRESETS = ["latency", "throughput", "balanced", "gpu"] as const;

/** What a knob sets under each preset; undefined where it leaves the host alone. */
function byPreset(knob: AnyKnob, current: unknown): unknown[] {
  return PRESETS.map((preset) => valueSet(knob, { profile: { preset }, current }));
}

describe("turbo and energy hints", () => {
  it("pays for speed with power in every preset but balanced", () => {
    expect(byPreset(energyPerformancePreference, "balance_performance")).toEqual([
      "performance",
      "performance",
      undefined,
      "performance",
    ]);
    expect(byPreset(energyPerfBias, "6")).toEqual(["0", "0", undefined, "0"]);
    expect(byPreset(cpufreqBoost, 0)).toEqual([1, 1, undefined, 1]);
    expect(byPreset(intelPstateNoTurbo, 1)).toEqual([0, 0, undefined, 0]);
    expect(byPreset(intelPstateMinPerfPct, 20)).toEqual([100, undefined, undefined, undefined]);
  });

  it("says that tuners disagree on turbo, and what decided", () => {
    const { because } = decide(cpufreqBoost, { profile: { preset: "latency" }, current: 0 });
    expect(because).toMatch(/tuners disagree \(TuneD on; rpk off.*event loop/);
  });

  it("takes back, in the balanced preset, only what holds the clock back", () => {
    expect(valueSet(energyPerformancePreference, { current: "power" })).toBe("balance_performance");
    expect(valueSet(energyPerfBias, { current: "15" })).toBe("6");
    expect(valueSet(energyPerfBias, { current: "6 on CPUs 0-7, 8 on CPUs 8-15" })).toBe("6");
    expect(valueSet(energyPerfBias, { current: "0 on CPUs 0-7, 6 on CPUs 8-15" })).toBeUndefined();
  });

  it("has no Intel hint on other processors", () => {
    const facts = factsOfShape();
    const amd = { ...facts, cpu: { ...facts.cpu, vendor: "AuthenticAMD" } };
    expect(energyPerfBias.targets?.(amd, sampleProfile())).toEqual([]);
    expect(energyPerfBias.targets?.(facts, sampleProfile())).toEqual([{ name: "CPUs 0-15" }]);
  });
});

describe("platform_profile", () => {
  it("sets performance where the firmware offers it, and reads the one in force with the choices", async () => {
    await using root = await createHostRoot({
      "/sys/firmware/acpi/platform_profile": "balanced\n",
      "/sys/firmware/acpi/platform_profile_choices": "low-power balanced performance\n",
    });
    const current = await platformProfile.read(openHost(root.root), { name: "" });
    expect(current).toBe("[balanced] low-power performance");
    expect(byPreset(platformProfile, current)).toEqual([
      "performance",
      "performance",
      undefined,
      "performance",
    ]);
    expect(platformProfile.isSatisfied?.("[performance] balanced", "performance")).toBe(true);
    expect(platformProfile.isSatisfied?.("[balanced] performance", "performance")).toBe(false);
  });

  it("leaves a firmware that has no such profile", () => {
    const situation = { profile: { preset: "latency" as const }, current: "[balanced] low-power" };
    expect(decide(platformProfile, situation)).toMatchObject({ kind: "leave" });
  });
});

describe("smt/control", () => {
  it("is turned off on the profile's word alone", () => {
    for (const preset of PRESETS)
      expect(valueSet(smtControl, { profile: { preset }, current: "on" })).toBeUndefined();
    expect(valueSet(smtControl, { profile: { cpu: { smt: "off" } }, current: "on" })).toBe("off");
    for (const current of ["forceoff", "notsupported", "notimplemented", "off"])
      expect(valueSet(smtControl, { profile: { cpu: { smt: "off" } }, current })).toBeUndefined();
  });
});

function withIdle(states: HostFacts["cpu"]["idle"]["states"]): HostFacts {
  const facts = factsOfShape();
  return { ...facts, cpu: { ...facts.cpu, idle: { driver: "intel_idle", states } } };
}

describe("pm_qos_resume_latency_us", () => {
  const knob = pmQosResumeLatencyUs;

  it("forbids by preset the states that take too long to wake up", () => {
    expect(byPreset(knob, "0")).toEqual(["10", undefined, undefined, "100"]);
    const { because } = decide(knob, { profile: { preset: "latency" }, current: "0" });
    expect(because).toBe(
      "the latency preset allows 10 us to wake up: POLL, C1, C1E may be used, not C6 (133 us)",
    );
  });

  it("leaves a host whose deepest state is fast enough", () => {
    const facts = withIdle([{ name: "C1", latencyMicros: 2 }]);
    expect(decide(knob, { facts, profile: { preset: "latency" }, current: "0" })).toMatchObject({
      kind: "leave",
      because: expect.stringContaining("C1 2 us"),
    });
  });

  it("takes the profile's limit; 0 is the kernel's n/a, as its 0 means no limit", () => {
    expect(valueSet(knob, { profile: { cpu: { wakeUpLatencyMicros: 50 } }, current: "0" })).toBe("50");
    expect(valueSet(knob, { profile: { cpu: { wakeUpLatencyMicros: 0 } }, current: "0" })).toBe("n/a");
    expect(knob.format?.("0")).toBe("no limit");
    expect(knob.format?.("n/a")).toBe("0 us (no idle state)");
  });

  it("keeps a stricter limit that somebody has set on every CPU", () => {
    for (const current of ["5", "n/a", "5 on CPUs 8, n/a on CPUs 9-15"])
      expect(valueSet(knob, { profile: { preset: "latency" }, current })).toBeUndefined();
    expect(valueSet(knob, { profile: { preset: "latency" }, current: "5 on CPUs 8, 0 on CPUs 9-15" })).toBe(
      "10",
    );
  });

  it("acts on the service's CPUs only, and on none where the kernel shows no idle states", () => {
    const facts = factsOfShape();
    const profile = sampleProfile({ cpu: { reserved: "8" } });
    expect(knob.targets?.(facts, profile)).toEqual([{ name: "CPUs 9-15" }]);
    expect(knob.targets?.(withIdle([]), profile)).toEqual([]);
  });

  it("applies, is found when it drifts, and goes back byte for byte", async () => {
    const tree: HostTree = Object.fromEntries(
      Array.from({ length: 16 }, (_, cpu) => [
        `/sys/devices/system/cpu/cpu${cpu}/power/pm_qos_resume_latency_us`,
        "0\n",
      ]),
    );
    await using root = await createHostRoot(tree);
    const host = openHost(root.root);
    const before = await readTree(root.root);
    const input = {
      host,
      facts: factsOfShape(),
      profile: sampleProfile({ preset: "latency" }),
      knobs: [knob],
    };
    const applied = await applyPlan({ ...input, phase: "all" });
    expect(applied.entries).toMatchObject([
      { key: "pm_qos_resume_latency_us[CPUs 8-15]", outcome: "changed" },
    ]);
    expect(await root.read("/sys/devices/system/cpu/cpu8/power/pm_qos_resume_latency_us")).toBe("10\n");
    expect(await root.read("/sys/devices/system/cpu/cpu7/power/pm_qos_resume_latency_us")).toBe("0\n");

    await root.write("/sys/devices/system/cpu/cpu9/power/pm_qos_resume_latency_us", "0\n");
    const again = await applyPlan({ ...input, phase: "all" });
    expect(again.entries).toMatchObject([
      { outcome: "changed", isDrifted: true, before: "10 on CPUs 8,10-15, 0 on CPUs 9" },
    ]);

    await rollbackHost({ host, knobs: [knob], hostname: null, kernelRelease: null });
    const after = await readTree(root.root);
    for (const path of Object.keys(before)) expect(after[path], path).toBe(before[path]);
  });
});

describe("cpu_dma_latency", () => {
  it("is absent where CPUs have files of their own", async () => {
    await using root = await createHostRoot({
      "/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us": "0\n",
    });
    expect(await cpuDmaLatency.read(openHost(root.root), { name: "" })).toBeUndefined();
  });

  it("reads what the kernel makes of all requests, with a double of od", async () => {
    const host = {
      ...toolHost(() => ({ exitCode: 0, stdout: "  2000000000\n", stderr: "" })),
      exists: () => Promise.resolve(false),
    };
    expect(await cpuDmaLatency.read(host, { name: "" })).toBe(2_000_000_000);
  });

  it("has a unit hold the request, and stops it on rollback", () => {
    expect(valueSet(cpuDmaLatency, { profile: { preset: "latency" }, current: 2_000_000_000 })).toBe(10);
    expect(valueSet(cpuDmaLatency, { profile: { preset: "latency" }, current: 1 })).toBeUndefined();
    const writes = cpuDmaLatency.writes(20, { name: "" }, 2_000_000_000);
    expect(writes[0]).toMatchObject({
      kind: "config-file",
      path: "/etc/systemd/system/bedplate-cpu-dma-latency.service",
      text: expect.stringContaining("printf 0x00000014 >&3 && exec sleep infinity"),
    });
    expect(writes[1]).toMatchObject({
      path: "/etc/systemd/system/multi-user.target.d/50-bedplate-cpu-dma-latency.conf",
      text: expect.stringContaining("[Unit]\nWants=bedplate-cpu-dma-latency.service\n"),
    });
    expect(
      writes.slice(2).map((write) => (write.kind === "tool" ? [write.command[1], write.undo[1]] : [])),
    ).toEqual([
      ["daemon-reload", "daemon-reload"],
      ["restart", "stop"],
    ]);
  });
});

describe("clocksource/current_clocksource", () => {
  type Kind = HostFacts["virtualization"]["kind"];

  function wanted(kind: Kind, sources: readonly string[], overrides: Partial<HostFacts> = {}): unknown {
    const facts: HostFacts = {
      ...factsOfShape(),
      virtualization: { kind, because: "" },
      clock: { source: sources[0] ?? null, sources: [...sources], hasInvariantTsc: true },
      ...overrides,
    };
    return valueSet(clocksourceCurrentClocksource, { facts, current: sources[0] });
  }

  it("takes by platform what programs read without a system call", () => {
    expect(wanted("none", ["hpet", "tsc"])).toBe("tsc");
    expect(wanted("amazon", ["kvm-clock", "tsc"])).toBe("tsc");
    expect(wanted("kvm", ["hpet", "kvm-clock"])).toBe("kvm-clock");
    expect(wanted("kvm", ["tsc", "kvm-clock"])).toBeUndefined();
    expect(wanted("google", ["acpi_pm", "kvm-clock"])).toBe("kvm-clock");
    expect(wanted("hyperv", ["acpi_pm", "hyperv_clocksource_tsc_page"])).toBe("hyperv_clocksource_tsc_page");
    expect(wanted("xen", ["xen", "tsc"])).toBeUndefined();
    const cloud = { provider: "aws", instanceType: null, because: "" } as const;
    expect(wanted("xen", ["xen", "tsc"], { cloud })).toBe("tsc");
    expect(wanted("vmware", ["acpi_pm", "tsc"])).toBeUndefined();
  });

  it("never takes one that the kernel does not offer, nor a counter that is not steady", () => {
    expect(wanted("none", ["hpet", "acpi_pm"])).toBeUndefined();
    const clock = { source: "hpet", sources: ["hpet", "tsc"], hasInvariantTsc: false };
    expect(wanted("none", ["hpet", "tsc"], { clock })).toBeUndefined();
    expect(wanted("none", ["arch_sys_counter"], { architecture: "aarch64" })).toBeUndefined();
  });
});
