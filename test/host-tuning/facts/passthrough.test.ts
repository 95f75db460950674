import { describe, expect, test } from "vitest";
import { factsOf } from "./facts-of.ts";

const LOCKDOWN = "/sys/kernel/security/lockdown";

describe("readPassthrough()", () => {
  test("counts IOMMU groups and names the lockdown mode in force", async () => {
    const { passthrough } = await factsOf({
      "/sys/kernel/iommu_groups/0/type": "DMA-FQ\n",
      "/sys/kernel/iommu_groups/1/type": "DMA-FQ\n",
      [LOCKDOWN]: "none [integrity] confidentiality\n",
    });
    expect(passthrough).toEqual({ iommuGroups: 2, lockdown: "integrity" });
  });

  test("has neither on a host without them, and notes a mode that it does not know", async () => {
    expect((await factsOf({})).passthrough).toEqual({ iommuGroups: 0, lockdown: null });
    const { passthrough, unreadable } = await factsOf({ [LOCKDOWN]: "none integrity\n" });
    expect(passthrough.lockdown).toBeNull();
    expect(unreadable).toContainEqual({ path: LOCKDOWN, because: "Names no mode in brackets" });
  });
});
