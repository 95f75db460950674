import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { readEnvironmentAnew } from "../estimate/read-environment-anew.ts";
import { editEnvironmentText, pathSteps } from "./edit-environment-text.ts";
import type { EnvironmentChange } from "./right-size-report.ts";

/** A copy of `environment` with the changes made in the data, to compare the edited file with. */
function withChanges(environment: Environment, changes: readonly EnvironmentChange[]): Environment {
  const copy = structuredClone(environment);
  for (const { path: place, to } of changes) {
    const steps = pathSteps(place);
    let node: unknown = copy;
    for (const step of steps.slice(0, -1)) node = (node as Record<string | number, unknown>)[step];
    (node as Record<string | number, unknown>)[steps.at(-1) ?? ""] = to;
  }
  return copy;
}

/** Beside the file and renamed over it: a reader sees the old file or the new one, and a crash leaves one of them. */
async function replaceFile(file: string, text: string): Promise<void> {
  const { mode } = await stat(file);
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.tmp`);
  try {
    const handle = await open(temporary, "wx", mode);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  } catch (cause) {
    await rm(temporary, { force: true });
    throw new InputError(file, [{ path: "", message: `Cannot write: ${errnoText(cause)}` }], { cause });
  }
}

/** The name that an environment's TypeScript file exports it under; YAML and JSON have none. */
function exportNameOf(file: string): string | undefined {
  return file.endsWith(".ts") ? path.basename(file, ".ts") : undefined;
}

/**
 * Edits an environment file for a person to review: nothing is applied. The file is read again afterwards; unless it then
 * is the expected environment, its old text is put back.
 *
 * @throws {InputError} when the file is not as expected, with every reason; the file is then as it was
 */
export async function rewriteEnvironment(
  file: string,
  expected: Environment,
  edit: (text: string, exportName: string | undefined) => Promise<string>,
): Promise<void> {
  const before = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  await replaceFile(file, await edit(before, exportNameOf(file)));
  const refusal = await readEnvironmentAnew(file).then(
    (found) =>
      isDeepStrictEqual(found, expected)
        ? undefined
        : "the edited file says something else than the environment with these changes",
    (error: unknown) => `the edited file is refused: ${messageOf(error)}`,
  );
  if (refusal === undefined) return;
  await replaceFile(file, before);
  throw new InputError(file, [{ path: "", message: `${refusal}; it is as it was` }]);
}

/**
 * Writes recommended numbers into an environment file.
 *
 * @param environment what the changes were made from
 * @throws {InputError} as `rewriteEnvironment`
 */
export async function writeEnvironment(
  file: string,
  environment: Environment,
  changes: readonly EnvironmentChange[],
): Promise<void> {
  await rewriteEnvironment(file, withChanges(environment, changes), (text, exportName) =>
    editEnvironmentText(text, changes, file, exportName),
  );
}
