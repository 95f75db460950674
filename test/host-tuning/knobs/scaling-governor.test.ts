import { describe, expect, it } from "vitest";
import { scalingGovernor as knob } from "../../../host-tuning/knobs/scaling-governor.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";

type Preset = "latency" | "throughput" | "balanced" | "gpu";

const INTEL_PSTATE = ["performance", "powersave"];
const ACPI_CPUFREQ = ["conservative", "ondemand", "userspace", "powersave", "performance", "schedutil"];

function decide(preset: Preset, governors: readonly string[], current: string) {
  const facts = factsOfShape();
  const cpu = { ...facts.cpu, governors: [...governors] };
  const profile = sampleProfile({ preset });
  const desired = knob.desired({ facts: { ...facts, cpu }, profile, current, target: { name: "policy0" } });
  return desired.kind === "set" ? desired.value : "leave";
}

describe("scaling_governor", () => {
  it("has no target on a host without cpufreq, and says why", () => {
    const facts = factsOfShape();
    const vm = { ...facts, cpu: { ...facts.cpu, frequencyPolicies: [], governors: [] } };
    expect(knob.targets?.(vm, sampleProfile())).toEqual([]);
    expect(knob.absentBecause).toContain("no cpufreq");
  });

  it.each(["latency", "throughput", "gpu"] as const)("runs at full clock for %s", (preset) => {
    expect(decide(preset, INTEL_PSTATE, "powersave")).toBe("performance");
    expect(decide(preset, ["ondemand"], "ondemand")).toBe("leave");
  });

  it("leaves what follows the load, for balanced", () => {
    expect(decide("balanced", INTEL_PSTATE, "powersave")).toBe("leave");
    expect(decide("balanced", ACPI_CPUFREQ, "ondemand")).toBe("leave");
    expect(decide("balanced", ACPI_CPUFREQ, "performance")).toBe("leave");
  });

  it("replaces a governor that pins the clock low, for balanced", () => {
    expect(decide("balanced", ACPI_CPUFREQ, "powersave")).toBe("schedutil");
  });
});
