import { describe, expect, it } from "vitest";
import { transparentHugepageDefrag } from "../../../host-tuning/knobs/transparent-hugepage-defrag.ts";
import { transparentHugepageEnabled } from "../../../host-tuning/knobs/transparent-hugepage-enabled.ts";
import { WHOLE_HOST } from "../../../host-tuning/knobs/knob.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";

type Preset = "latency" | "throughput" | "balanced" | "gpu";

function decide(knob: typeof transparentHugepageEnabled, preset: Preset, current: string) {
  const input = { facts: sampleFacts(), profile: sampleProfile({ preset }), current, target: WHOLE_HOST };
  const desired = knob.desired(input);
  return desired.kind === "set" ? desired.value : "leave";
}

describe("transparent_hugepage/enabled", () => {
  it("reads the bracketed choice of a stock kernel", async () => {
    await using root = await createHostRoot(stockHost());
    expect(await transparentHugepageEnabled.read(openHost(root.root), WHOLE_HOST)).toBe("always");
  });

  it.each(["latency", "throughput", "balanced", "gpu"] as const)(
    "gives %s pages to those that ask",
    (preset) => {
      expect(decide(transparentHugepageEnabled, preset, "always")).toBe("madvise");
    },
  );

  it("leaves never where latency counts, and not elsewhere", () => {
    expect(decide(transparentHugepageEnabled, "latency", "never")).toBe("leave");
    expect(decide(transparentHugepageEnabled, "balanced", "never")).toBe("madvise");
  });

  it("says that tuners disagree", () => {
    const profile = sampleProfile();
    const input = { facts: sampleFacts(), profile, current: "always", target: WHOLE_HOST };
    expect(transparentHugepageEnabled.desired(input).because).toContain("tuners disagree");
  });
});

describe("transparent_hugepage/defrag", () => {
  it("lets no page fault wait where latency counts", () => {
    expect(decide(transparentHugepageDefrag, "latency", "madvise")).toBe("defer");
    expect(decide(transparentHugepageDefrag, "latency", "never")).toBe("leave");
  });

  it("changes only always elsewhere", () => {
    expect(decide(transparentHugepageDefrag, "balanced", "always")).toBe("madvise");
    for (const current of ["defer", "defer+madvise", "madvise", "never"]) {
      expect(decide(transparentHugepageDefrag, "balanced", current)).toBe("leave");
    }
  });
});
