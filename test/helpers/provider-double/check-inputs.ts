import type { Properties, Shape } from "./sdk-shapes.ts";

/** The engine's mark for a value that a preview does not know. */
export const UNKNOWN_VALUE = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

const SIGNATURE_KEY = "4dabf18193072939515e22adb298388d";

export interface InputFault {
  /** As Pulumi writes a property path: `spec.template.metadata`. */
  readonly property: string;
  readonly reason: string;
}

export type Values = Readonly<Record<string, unknown>>;

/** What the provider's own schema has against these inputs: missing, unknown and wrong-typed properties, at any depth. */
export function checkInputs(
  values: Values,
  properties: Properties,
  { at = "", isOpen = false }: { readonly at?: string; readonly isOpen?: boolean } = {},
): readonly InputFault[] {
  const faults: InputFault[] = [];
  const pathOf = (name: string): string => (at === "" ? name : `${at}.${name}`);
  for (const [name, { isRequired }] of properties) {
    if (isRequired && values[name] === undefined)
      faults.push({ property: pathOf(name), reason: "is required" });
  }
  for (const [name, value] of Object.entries(values)) {
    const property = properties.get(name);
    if (property === undefined) {
      if (!isOpen) faults.push({ property: pathOf(name), reason: "is no property of this type" });
    } else if (value !== undefined && value !== null)
      faults.push(...checkValue(value, property.shape, pathOf(name)));
  }
  return faults;
}

function checkValue(value: unknown, shape: Shape, at: string): readonly InputFault[] {
  if (value === UNKNOWN_VALUE) return [];
  const wanted = (what: string): readonly InputFault[] => [
    { property: at, reason: `is ${JSON.stringify(value)}, wanted ${what}` },
  ];
  switch (shape.kind) {
    case "string":
    case "number":
    case "boolean":
      return typeof value === shape.kind ? [] : wanted(`a ${shape.kind}`);
    case "literal":
      return value === shape.value ? [] : wanted(JSON.stringify(shape.value));
    case "enum":
      return shape.values.some((allowed) => allowed === value)
        ? []
        : wanted(`one of ${shape.values.join(", ")}`);
    case "asset":
      return isObject(value) && SIGNATURE_KEY in value ? [] : wanted("an asset");
    case "list":
      return Array.isArray(value)
        ? value.flatMap((inner, index) => checkValue(inner, shape.of, `${at}[${index}]`))
        : wanted("a list");
    case "map":
      return isObject(value)
        ? Object.entries(value).flatMap(([key, inner]) =>
            checkValue(inner, shape.of, `${at}[${JSON.stringify(key)}]`),
          )
        : wanted("a map");
    case "object":
      return isObject(value) ? checkInputs(value, shape.properties(), { at }) : wanted("an object");
    case "union": {
      const faults = shape.of.map((variant) => checkValue(value, variant, at));
      return faults.some((found) => found.length === 0) ? [] : (faults[0] ?? []);
    }
    default:
      return [];
  }
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
