import { expect, test } from "vitest";
import * as z from "zod";
import { PulumiTypes } from "../../../components/provider/pulumi-types.ts";

const disk = z.strictObject({ kind: z.literal("disk"), sizeGB: z.int().min(1).max(8) });
const share = z.strictObject({ kind: z.literal("share"), url: z.string() });

function propertiesOf(shape: Readonly<Record<string, z.ZodType>>, side: "input" | "output" = "input") {
  const types = new PulumiTypes("lab", { Disk: disk });
  const { properties, required } = types.objectSpec(z.strictObject(shape), side, "Host");
  return { properties, required, types: types.types };
}

test("PulumiTypes says scalars with their limits and defaults in words", () => {
  const { properties, required } = propertiesOf({
    size: z.union([z.literal(2048), z.literal(1_048_576)]),
    mode: z.enum(["a", "b"]).default("a").describe("How"),
    count: z.int().min(1),
    share: z.number().max(1).optional(),
  });
  expect(required).toEqual(["size", "count"]);
  expect(properties).toEqual({
    size: { type: "integer" },
    mode: { type: "string", description: 'How; one of "a", "b"; default "a"' },
    count: { type: "integer", description: "at least 1" },
    share: { type: "number", description: "at most 1" },
  });
});

test("PulumiTypes makes one type of one shape, by its own name where it has one", () => {
  const inner = z.strictObject({ a: z.string() });
  const { properties, types } = propertiesOf({ first: inner, others: z.array(inner), disk });
  expect(properties).toEqual({
    first: { $ref: "#/types/lab:index:HostFirst" },
    others: { type: "array", items: { $ref: "#/types/lab:index:HostFirst" } },
    disk: { $ref: "#/types/lab:index:Disk" },
  });
  expect(Object.keys(types)).toEqual(["lab:index:Disk", "lab:index:HostFirst"]);
});

test("PulumiTypes tells the members of a union apart by the key that differs", () => {
  const { properties, types } = propertiesOf({ volume: z.discriminatedUnion("kind", [disk, share]) });
  const refs = { disk: "#/types/lab:index:Disk", share: "#/types/lab:index:HostVolumeShare" };
  expect(properties["volume"]).toEqual({
    oneOf: [{ $ref: refs.disk }, { $ref: refs.share }],
    discriminator: { propertyName: "kind", mapping: refs },
  });
  expect(types["lab:index:Disk"]?.properties?.["kind"]).toEqual({ type: "string", const: "disk" });
});

test("PulumiTypes requires no output that may be null", () => {
  const { properties, required } = propertiesOf(
    { model: z.string().nullable(), facts: disk.nullable(), name: z.string() },
    "output",
  );
  expect(required).toEqual(["name"]);
  expect(properties["model"]).toEqual({ type: "string" });
  expect(properties["facts"]).toEqual({ $ref: "#/types/lab:index:Disk" });
});

test("PulumiTypes fails on what no Pulumi type can say, and on two shapes of one name", () => {
  expect(() => propertiesOf({ anything: z.unknown() })).toThrow("Cannot describe HostAnything");
  expect(() =>
    propertiesOf({
      "a-b": z.strictObject({ x: z.string() }),
      aB: z.strictObject({ y: z.string() }),
    }),
  ).toThrow("Cannot name two types HostAB");
});
