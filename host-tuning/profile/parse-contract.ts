import { parse as parseYaml } from "yaml";
import type * as z from "zod";
import { type Fault, InputError } from "../errors.ts";

/**
 * Path of a zod issue as a person writes it: `hostPools[0].needs.vcpus`; a key that is no plain word is quoted:
 * `overrides["net.core.somaxconn"].value`.
 */
export function formatPath(path: readonly PropertyKey[]): string {
  let text = "";
  for (const part of path) {
    if (typeof part === "number") text += `[${part}]`;
    else if (/^[A-Za-z_]\w*$/.test(String(part))) text += text === "" ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part))}]`;
  }
  return text;
}

/** Every leaf issue of a zod error; an invalid union gives the faults of the member that came nearest. */
function faultsOf(issues: readonly z.core.$ZodIssue[], prefix: readonly PropertyKey[] = []): Fault[] {
  return issues.flatMap((issue): Fault[] => {
    const path = [...prefix, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => ({ path: formatPath([...path, key]), message: "unknown key" }));
    }
    if (issue.code === "invalid_union" && issue.errors.length > 0) {
      const nearest = issue.errors.toSorted((a, b) => a.length - b.length)[0];
      if (nearest !== undefined && nearest.length > 0) return faultsOf(nearest, path);
    }
    return [{ path: formatPath(path), message: issue.message }];
  });
}

/**
 * Checks `data` against a contract.
 *
 * @param source what to call the input in messages: a file name or "(defaults)"
 * @throws {InputError} when anything is wrong, with every fault and its path
 */
export function parseContract<S extends z.ZodType>(schema: S, data: unknown, source: string): z.output<S> {
  const result = schema.safeParse(data);
  if (result.success) return result.data;
  throw new InputError(source, faultsOf(result.error.issues));
}

/**
 * Text of a YAML or JSON file to data; a contract check comes after.
 *
 * @throws {InputError} when the text is no YAML, with every place the parser names
 */
export function parseYamlText(text: string, source: string): unknown {
  try {
    return parseYaml(text, { uniqueKeys: true, prettyErrors: true, maxAliasCount: 100, logLevel: "error" });
  } catch (cause) {
    const message =
      cause instanceof Error ? (cause.message.split("\n")[0] ?? "not readable") : "not readable";
    throw new InputError(source, [{ path: "", message: `Cannot read as YAML or JSON: ${message}` }], {
      cause,
    });
  }
}
