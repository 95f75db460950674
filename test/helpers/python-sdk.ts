import path from "node:path";
import { execa } from "execa";
import { type PythonSdk, findPythonSdk } from "../../tools/pulumi-python/get-python-sdk.ts";
import type { EngineStack } from "./engine-stack.ts";
import type { Part } from "./needs.ts";
import { pulumiCli } from "./pulumi-cli.ts";

const SCHEMA = path.resolve(import.meta.dirname, "../../components/provider/package-schema.json");
const INSTALL_LIMIT_MILLIS = 120_000;
const PROGRAM_LIMIT_MILLIS = 240_000;

const found = await findPythonSdk();

/** What a program in Python needs to run on the real engine with the package's own SDK. */
export const PYTHON_SDK: Part = {
  name: "Pulumi's SDK for Python, and the generator of the package's own",
  howToGet: "node tools/pulumi-python/get-python-sdk.ts",
  isThere: () => found !== undefined,
};

/** The package's SDK, generated from its schema and installed below `folder` as a user's `pip install` does. */
export async function installPackageSdk(folder: string): Promise<string> {
  const { python, generator } = parts();
  const [sources, installed] = [path.join(folder, "sources"), path.join(folder, "installed")];
  await execa(generator, [SCHEMA, sources], { timeout: INSTALL_LIMIT_MILLIS });
  const offline = [
    "--quiet",
    "--disable-pip-version-check",
    "--no-index",
    "--no-deps",
    "--no-build-isolation",
  ];
  await execa(python, ["-m", "pip", "install", ...offline, "--target", installed, sources], {
    timeout: INSTALL_LIMIT_MILLIS,
  });
  return installed;
}

export interface PythonRun {
  readonly exitCode?: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program that brings up the stack itself, by the Automation API, in the stack's folder and beside its doubles. */
export async function runPythonProgram(
  stack: EngineStack,
  args: { readonly sdk: string; readonly program: string; readonly arguments: readonly string[] },
): Promise<PythonRun> {
  const { workspace } = stack.stack;
  const { root } = pulumiCli();
  const PATH = process.env["PATH"] ?? "";
  return await execa(parts().python, [args.program, ...args.arguments], {
    cwd: workspace.workDir,
    env: {
      ...workspace.envVars,
      PULUMI_HOME: workspace.pulumiHome,
      PYTHONPATH: args.sdk,
      PATH: root === undefined ? PATH : `${path.join(root, "bin")}:${PATH}`,
    },
    reject: false,
    timeout: PROGRAM_LIMIT_MILLIS,
  });
}

function parts(): PythonSdk {
  if (found === undefined) throw new Error(`${PYTHON_SDK.name} is missing`);
  return found;
}
