import { describe, expect, it } from "vitest";
import { KNOBS } from "../../host-tuning/knobs/index.ts";
import { generatedFiles, renderKnobs, staleFiles } from "../../tools/generate.ts";
import { DEMO_KNOBS } from "../host-tuning/engine/demo-knobs.ts";

describe("generated files", () => {
  it("are fresh: run `npm run generate` where this fails", async () => {
    expect(await staleFiles()).toEqual([]);
  });

  it("are a schema for every contract and a section for every knob", () => {
    const files = generatedFiles();
    expect([...files.keys()]).toEqual([
      "docs/schemas/environment.schema.json",
      "docs/schemas/host-profile.schema.json",
      "docs/schemas/host-facts.schema.json",
      "docs/schemas/host-plan.schema.json",
      "docs/schemas/host-report.schema.json",
      "docs/knobs.md",
    ]);
    for (const knob of KNOBS) expect(files.get("docs/knobs.md")).toContain(`\n### ${knob.id}\n`);
  });

  it("take a new knob from the registry alone", () => {
    expect(renderKnobs(DEMO_KNOBS)).toContain("### demo.backlog\n\nDemo value backlog.");
  });
});
