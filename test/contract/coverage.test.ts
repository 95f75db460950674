import { describe, expect, it } from "vitest";
import { DECLINED } from "../../host-tuning/knobs/declined.ts";
import { KNOBS } from "../../host-tuning/knobs/index.ts";
import { renderCoverage } from "../../tools/render-coverage.ts";
import { ANCHOR_SETTINGS } from "./anchor-settings.ts";

const KNOWN = new Map([...KNOBS, ...DECLINED].map((setting) => [setting.id, setting]));

describe("coverage of what other tuners set", () => {
  it.each(ANCHOR_SETTINGS)("$id is set or declined, and names who sets it", ({ id, tuners }) => {
    const setting = KNOWN.get(id);
    expect(setting, `${id} is neither a knob nor in knobs/declined.ts`).toBeDefined();
    expect(Object.keys(setting?.anchors ?? {})).toEqual(expect.arrayContaining([...tuners]));
  });

  it("declines nothing that it sets, nothing twice, and nothing without a reason", () => {
    const declined = DECLINED.map(({ id }) => id);
    expect(declined.filter((id) => KNOBS.some((knob) => knob.id === id))).toEqual([]);
    expect([...new Set(declined)]).toEqual(declined);
    for (const { id, because } of DECLINED) expect(because.length, id).toBeGreaterThan(10);
  });

  it("has one row for each setting, and says where nobody else sets one", () => {
    const rows = renderCoverage(KNOBS, DECLINED)
      .split("\n")
      .filter((line) => line.startsWith("| "));
    for (const { id, anchors = {} } of [...KNOBS, ...DECLINED]) {
      const mine = rows.filter((row) => row.startsWith(`| ${id} | `));
      expect(mine, id).toHaveLength(1);
      const isAlone = KNOBS.some((knob) => knob.id === id) && Object.keys(anchors).length === 0;
      expect(mine[0]?.includes("nobody else"), id).toBe(isAlone);
    }
  });
});
