import { readFile } from "node:fs/promises";
import { type Environment, environmentSchema } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";

/** Whether `--env` names a file rather than an environment of the stacks: a name has neither a dot nor a slash. */
export function namesFile(env: string): boolean {
  return /[./\\]/.test(env);
}

/**
 * Reads an environment from a YAML or JSON file.
 *
 * @throws {InputError} when it cannot be read or is no environment, with every fault
 */
export async function readEnvironmentFile(path: string): Promise<Environment> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    const code = cause instanceof Error && "code" in cause ? String(cause.code) : "not readable";
    const message = code === "ENOENT" ? "there is no such file" : `Cannot read: ${code}`;
    throw new InputError(path, [{ path: "", message }], { cause });
  }
  return parseContract(environmentSchema, parseYamlText(text, path), path);
}
