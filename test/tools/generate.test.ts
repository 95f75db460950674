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
    for (const contract of [
      "environment",
      "host-profile",
      "host-facts",
      "host-plan",
      "host-report",
      "drift-report",
    ]) {
      const schema: unknown = JSON.parse(files.get(`docs/schemas/${contract}.schema.json`) ?? "null");
      expect(schema).toMatchObject({ type: "object", properties: { apiVersion: { const: "bedplate/v1" } } });
    }
    for (const knob of KNOBS) expect(files.get("docs/knobs.md")).toContain(`\n### ${knob.id}\n`);
  });

  it("take a new knob from the registry alone", () => {
    expect(renderKnobs(DEMO_KNOBS)).toContain("### demo.backlog\n\nDemo value backlog.");
  });
});
