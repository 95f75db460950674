import { expect, test } from "vitest";
import { inventorySchema, readInventory } from "../../../host-tuning/facts/inventory.ts";

test("readInventory() asks this machine and leaves serial numbers out", async () => {
  const inventory = await readInventory();
  expect(inventorySchema.parse(inventory)).toEqual(inventory);
  expect(inventory?.os.kernel).toMatch(/^\d+\.\d+/);
  expect(JSON.stringify(inventory)).not.toMatch(/serial|uuid/i);
});
