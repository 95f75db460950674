import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";
import { type Environment, environmentSchema } from "./environment-spec.ts";

const STACKS = path.resolve(import.meta.dirname, "../../stacks");

/** Names with a file in stacks/: the entry of the program is no environment. */
export function environmentNames(folder = STACKS): readonly string[] {
  return readdirSync(folder)
    .filter((file) => /^[a-z][a-z0-9-]*\.ts$/.test(file) && file !== "index.ts")
    .map((file) => path.basename(file, ".ts"))
    .toSorted();
}

/**
 * The environment of a stack: `stacks/<name>.ts`, which exports it under its own name.
 *
 * @throws {InputError} when there is none or when it is wrong, with every fault and its path
 */
export async function loadEnvironment(name: string, folder = STACKS): Promise<Environment> {
  const names = environmentNames(folder);
  if (!names.includes(name)) {
    throw new InputError(`environment "${name}"`, [
      { path: "name", message: `no file for it in stacks/; there are ${names.join(", ")}` },
    ]);
  }
  return checked(await importEnvironment(path.join(folder, `${name}.ts`)), `stacks/${name}.ts`);
}

/**
 * An environment as a command line names it: a stack by its name, or a file of the user's choice by its path.
 * A name has neither a dot nor a slash.
 *
 * @throws {InputError} as the two do that it chooses from
 */
export async function loadNamedEnvironment(nameOrFile: string, folder = STACKS): Promise<Environment> {
  return /[./\\]/.test(nameOrFile)
    ? await loadEnvironmentFile(nameOrFile)
    : await loadEnvironment(nameOrFile, folder);
}

/** The file of an environment that a command line names, as `loadNamedEnvironment` reads it. */
export function environmentFileOf(nameOrFile: string, folder = STACKS): string {
  return /[./\\]/.test(nameOrFile) ? nameOrFile : path.join(folder, `${nameOrFile}.ts`);
}

/**
 * An environment from a file of the user's choice: a TypeScript module as in stacks/, or YAML or JSON.
 *
 * @throws {InputError} when it cannot be read or when it is wrong, with every fault and its path
 */
export async function loadEnvironmentFile(file: string): Promise<Environment> {
  if (!existsSync(file)) throw new InputError(file, [{ path: "", message: "there is no such file" }]);
  if (file.endsWith(".ts")) return checked(await importEnvironment(file), file);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  return checked(parseYamlText(text, file), file);
}

async function importEnvironment(file: string): Promise<unknown> {
  const exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  const name = path.basename(file, ".ts");
  if (name in exported) return exported[name];
  throw new InputError(file, [
    { path: "", message: `exports no "${name}"; it has ${Object.keys(exported).join(", ") || "no exports"}` },
  ]);
}

function checked(data: unknown, source: string): Environment {
  return parseContract(environmentSchema, data, source);
}
