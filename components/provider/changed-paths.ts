import { isDeepStrictEqual } from "node:util";
import type { ResourceDiff } from "./bedplate-provider.ts";

/**
 * Where two values differ, by property path as Pulumi writes it, each as deep as both have the same shape:
 * `profile.workload.streams`, `profile.overrides["net.core.somaxconn"]`. A list is one value.
 */
export function changedPaths(
  before: unknown,
  after: unknown,
  path = "",
): NonNullable<ResourceDiff["details"]> {
  if (isDeepStrictEqual(before, after)) return {};
  if (!isMap(before) || !isMap(after)) return { [path]: "update" };
  const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  return Object.assign(
    {},
    ...keys.map((key) => {
      const inner = /^[A-Za-z_]\w*$/.test(key)
        ? `${path === "" ? "" : `${path}.`}${key}`
        : `${path}[${JSON.stringify(key)}]`;
      if (before[key] === undefined && after[key] === undefined) return {};
      if (before[key] === undefined) return { [inner]: "add" };
      if (after[key] === undefined) return { [inner]: "delete" };
      return changedPaths(before[key], after[key], inner);
    }),
  ) as NonNullable<ResourceDiff["details"]>;
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
