import { describe, expect, it } from "vitest";
import { sameSettingsProfile } from "../../../bench/agent/same-settings.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { hostProfileSchema } from "../../../host-tuning/profile/host-profile.ts";
import type { ReportEntry } from "../../../host-tuning/report/host-report.ts";

function entry(knob: string, outcome: ReportEntry["outcome"]): ReportEntry {
  return { knob, key: knob, outcome } as ReportEntry;
}

describe("sameSettingsProfile()", () => {
  const profile = sameSettingsProfile(
    {
      entries: [
        entry("net.core.rmem_max", "changed"),
        entry("scaling_governor", "changed"),
        entry("net.core.somaxconn", "already-right"),
      ],
    },
    2048,
  );

  it("is a profile that the agent takes", () => {
    expect(() => hostProfileSchema.parse(profile)).not.toThrow();
  });

  it("names knobs that there are", () => {
    const known = new Set(KNOBS.map(({ id }) => id));
    expect(Object.keys(profile.overrides ?? {}).filter((knob) => !known.has(knob))).toEqual([]);
  });

  it("leaves what the preset changes and TuneD does not, and sets what TuneD sets", () => {
    expect(profile.overrides).toMatchObject({
      "net.core.rmem_max": { leave: true },
      scaling_governor: { value: "performance" },
      "queue/read_ahead_kb": { value: 4096 },
      "vm.swappiness": { value: 10 },
      "vm.dirty_bytes": { value: 819 * 1024 ** 2 },
      "vm.dirty_background_bytes": { value: 204 * 1024 ** 2 },
    });
    expect(profile.overrides).not.toHaveProperty(["net.core.somaxconn"]);
  });
});
