import path from "node:path";
import { type GoProgram, type WorkArgs, buildGoProgram, findGoBuilds } from "../go-build.ts";
import { PythonPackages } from "../python-packages.ts";

/**
 * What a program in Python needs to use the package: Pulumi's SDK from PyPI, and the generator of the package's own, built
 * with Go from the command line's modules.
 *
 * The command line's language host for Python has no published module to build it from. The SDK's Automation API serves a
 * program from its own process instead, as the one for Node does.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

const PACKAGES = new PythonPackages("pulumi-python", path.join(import.meta.dirname, "requirements.txt"));

const GENERATOR: GoProgram = {
  what: "the generator of SDKs for Python",
  name: "generate-python-sdk",
  mainPackage: "./generate-python-sdk",
  sourceFolder: path.join(REPOSITORY, "tools/pulumi"),
  sources: ["generate-python-sdk/main.go"],
  cacheFolder: path.join(REPOSITORY, ".bedplate/cache/generate-python-sdk"),
};

export interface PythonSdk {
  /** A Python that can import `pulumi` and install what was generated. */
  readonly python: string;
  /** `generate-python-sdk SCHEMA FOLDER` */
  readonly generator: string;
}

/** Both parts where they are; undefined where one is missing. Makes nothing. */
export async function findPythonSdk(): Promise<PythonSdk | undefined> {
  const [root] = await findGoBuilds(GENERATOR);
  return root === undefined || !PACKAGES.areThere() ? undefined : partsIn(root);
}

/** Finds the parts, installs and builds what is missing. Needs Python with venv, and Go. */
async function getPythonSdk(args: WorkArgs): Promise<PythonSdk | { readonly because: string }> {
  await PACKAGES.install();
  const [found] = await findGoBuilds(GENERATOR);
  const made = found === undefined ? await buildGoProgram(GENERATOR, args) : { root: found };
  return "because" in made ? made : partsIn(made.root);
}

function partsIn(root: string): PythonSdk {
  return {
    python: path.join(PACKAGES.programs, "python"),
    generator: path.join(root, "bin", GENERATOR.name),
  };
}

if (import.meta.main) {
  const made = await getPythonSdk({ progress: (message) => process.stderr.write(`${message}\n`) });
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
  process.exitCode = "python" in made ? 0 : 1;
}
