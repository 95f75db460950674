import { existsSync } from "node:fs";
import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { execa } from "execa";
import { type Environment, environmentSchema } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";

/** An environment is a list of literals; one that computes for longer than this is none. */
const TIMEOUT_MILLIS = 60_000;
const MOST_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Prints an export as JSON. It runs without the right to write, to start processes or to load native code. */
const PRINT_EXPORT =
  "const exported = await import(process.argv[1]);" +
  "process.stdout.write(JSON.stringify({ names: Object.keys(exported), value: exported[process.argv[2]] }));";

/** The nearest folder above a file that is a package: what its modules may read. */
function packageRoot(file: string): string {
  for (let folder = path.dirname(file); ; folder = path.dirname(folder)) {
    if (existsSync(path.join(folder, "package.json")) || folder === path.dirname(folder)) return folder;
  }
}

async function exportOf(file: string, source: string): Promise<unknown> {
  const target = await realpath(file);
  const root = packageRoot(target);
  // A file that is in no package may import nothing but itself.
  const readable = root === path.dirname(root) ? path.dirname(target) : root;
  const modules = path.join(root, "node_modules");
  const readables = [readable, ...(existsSync(modules) ? [await realpath(modules)] : [])];
  const name = path.basename(target, ".ts");
  const child = await execa(
    process.execPath,
    [
      "--permission",
      ...readables.map((folder) => `--allow-fs-read=${folder}`),
      "--no-warnings",
      "--input-type=module",
      "--eval",
      PRINT_EXPORT,
      pathToFileURL(target).href,
      name,
    ],
    // Nothing of this process' environment: tokens stand there.
    {
      cwd: readable,
      env: {},
      extendEnv: false,
      timeout: TIMEOUT_MILLIS,
      maxBuffer: MOST_OUTPUT_BYTES,
      reject: false,
    },
  );
  if (child.failed) {
    const lines = child.stderr.split("\n").map((line) => line.trim());
    const why = child.timedOut
      ? `takes over ${TIMEOUT_MILLIS / 1000} s`
      : (lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.find((line) => line !== "") ?? "failed");
    throw new InputError(source, [{ path: "", message: `Cannot read it as a module: ${why}` }]);
  }
  const { names, value } = JSON.parse(child.stdout) as { names: string[]; value?: unknown };
  if (value !== undefined) return value;
  const message = `exports no "${name}"; it has ${names.join(", ") || "no exports"}`;
  throw new InputError(source, [{ path: "", message }]);
}

/**
 * An environment from a file as it is now, whatever this process read of it before. A TypeScript file is run in a process
 * of its own that can read its package and do nothing else, so that a file of another revision can be trusted with it.
 *
 * @param source what messages call the file
 * @throws {InputError} when it cannot be read or is wrong, with every fault
 */
export async function readEnvironmentAnew(file: string, source = file): Promise<Environment> {
  if (!existsSync(file)) throw new InputError(source, [{ path: "", message: "there is no such file" }]);
  if (file.endsWith(".ts")) return parseContract(environmentSchema, await exportOf(file, source), source);
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(source, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  return parseContract(environmentSchema, parseYamlText(text, source), source);
}
