import path from "node:path";
import { type GoProgram, type WorkArgs, buildGoProgram, findGoBuilds } from "../go-build.ts";

/**
 * Pulumi's language host for programs in YAML, built with Go from its published module at the pinned version. The vendor's
 * download of the command line has it beside `pulumi`; a `pulumi` that was built from its modules lacks it.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

const PROGRAM: GoProgram = {
  what: "Pulumi's language host for YAML",
  name: "pulumi-language-yaml",
  mainPackage: "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
  sourceFolder: import.meta.dirname,
  cacheFolder: path.join(REPOSITORY, ".bedplate/cache/pulumi-yaml"),
};

/** The folder of the built program, for PATH, where the engine looks for it; undefined without one. Makes nothing. */
export async function findYamlLanguageHost(): Promise<string | undefined> {
  const [root] = await findGoBuilds(PROGRAM);
  return root === undefined ? undefined : path.join(root, "bin");
}

/** Finds the program or builds it. */
async function getYamlLanguageHost(args: WorkArgs): Promise<{ folder: string } | { because: string }> {
  const found = await findYamlLanguageHost();
  if (found !== undefined) return { folder: found };
  const made = await buildGoProgram(PROGRAM, args);
  return "because" in made ? made : { folder: path.join(made.root, "bin") };
}

if (import.meta.main) {
  const made = await getYamlLanguageHost({ progress: (message) => process.stderr.write(`${message}\n`) });
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
  process.exitCode = "folder" in made ? 0 : 1;
}
