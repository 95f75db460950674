/**
 * The engine's wire form of property values, decoded for people: unknowns, secrets, assets and references are marked
 * by signature keys that the SDK fixes (`runtime/rpc.ts`).
 */

/** Stands for a value that a preview does not know yet. */
export const UNKNOWN = "(known after up)";

export const UNKNOWN_SENTINEL = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
const SIGNATURE = "4dabf18193072939515e22adb298388d";
const KINDS = {
  secret: "1b47061264138c4ac30d75fd1eb44270",
  output: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
  resource: "5cf8f73096256a8f31e491e813e4eb8e",
  asset: "c44067f5952c0a294b673a41bacd8c17",
} as const;

export type Decoded = null | boolean | number | string | Decoded[] | { [key: string]: Decoded };

export function decode(value: unknown): Decoded {
  if (value === UNKNOWN_SENTINEL) return UNKNOWN;
  if (Array.isArray(value)) return value.map(decode);
  if (typeof value === "object" && value !== null) return decodeObject(value as Record<string, unknown>);
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean") return value;
  return null;
}

function decodeObject(value: Record<string, unknown>): Decoded {
  switch (value[SIGNATURE]) {
    case KINDS.secret:
      return { secret: decode(value["value"]) };
    case KINDS.output: {
      const inner = "value" in value ? decode(value["value"]) : UNKNOWN;
      return value["secret"] === true ? { secret: inner } : inner;
    }
    case KINDS.resource:
      return { resource: decode(value["urn"]) };
    case KINDS.asset:
      return { asset: decode(value["path"] ?? value["text"] ?? value["uri"]) };
    default:
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, decode(inner)]));
  }
}

/** Paths of every unknown in a value: `launchTemplate.id`. */
export function unknownPaths(value: Decoded, at = ""): string[] {
  if (value === UNKNOWN) return [at];
  if (Array.isArray(value)) return value.flatMap((inner, index) => unknownPaths(inner, `${at}[${index}]`));
  if (typeof value === "object" && value !== null) {
    return Object.entries(value).flatMap(([key, inner]) =>
      unknownPaths(inner, at === "" ? key : `${at}.${key}`),
    );
  }
  return [];
}
