import type { Values } from "./provider-double/check-inputs.ts";
import { isObject } from "./provider-double/check-inputs.ts";
import { type Properties, SdkShapes, type Shape } from "./provider-double/sdk-shapes.ts";

/** A place of a resource's inputs that takes tags or labels, as a property path, and what stands there. */
export interface TagPlace {
  readonly path: string;
  readonly tags: Values;
}

/** What EC2 makes from a template and tags from it, by its API's own names; a group alone tags its instances. */
const LAUNCHED = ["instance", "network-interface", "volume"] as const;

const SDKS: Readonly<Record<string, SdkShapes>> = {
  aws: new SdkShapes("aws"),
  kubernetes: new SdkShapes("kubernetes"),
};

/**
 * Where a resource takes tags, read from the declarations of its provider's SDK at every depth, so that a test of tags does
 * not ask the code that it tests. A place counts where the object that has it is given, with or without tags; it is empty
 * for a type that takes none and for types of other providers.
 *
 * @throws {RangeError} for a type that the SDK does not have
 */
export function tagPlacesOf(type: string, inputs: Values): readonly TagPlace[] {
  const sdk = SDKS[type.slice(0, type.indexOf(":"))];
  return sdk === undefined ? [] : placesIn(inputs, sdk.resource(type).inputs, "");
}

function placesIn(values: Values, properties: Properties, at: string): readonly TagPlace[] {
  return [...properties].flatMap(([name, { shape }]): readonly TagPlace[] => {
    const path = at === "" ? name : `${at}.${name}`;
    const value = values[name];
    if (name === "tags") return [{ path, tags: tagsOf(value) }];
    if (name === "tagSpecifications") {
      return LAUNCHED.map((kind) => ({
        path: `${path}[${kind}].tags`,
        tags: tagsOf(rowsOf(value).find((row) => row["resourceType"] === kind)?.["tags"]),
      }));
    }
    if (shape.kind === "object" && shape.name === "meta.v1.ObjectMeta") {
      return [{ path: `${path}.labels`, tags: isObject(value) ? tagsOf(value["labels"]) : {} }];
    }
    return placesBelow(value, shape, path);
  });
}

function placesBelow(value: unknown, shape: Shape, at: string): readonly TagPlace[] {
  switch (shape.kind) {
    case "object":
      return isObject(value) ? placesIn(value, shape.properties(), at) : [];
    case "list":
      return Array.isArray(value)
        ? value.flatMap((inner, index) => placesBelow(inner, shape.of, `${at}[${index}]`))
        : [];
    case "union":
      return shape.of.flatMap((variant) => placesBelow(value, variant, at));
    default:
      return [];
  }
}

/** A map, or the rows of an Auto Scaling group: of these, what reaches the instances. */
function tagsOf(value: unknown): Values {
  if (isObject(value)) return value;
  const reaching = rowsOf(value).filter((row) => row["propagateAtLaunch"] === true);
  return Object.fromEntries(reaching.map((row) => [String(row["key"]), row["value"]]));
}

function rowsOf(value: unknown): readonly Values[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}
