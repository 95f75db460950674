import { existsSync, rmSync } from "node:fs";
import path from "node:path";
import { PulumiCommand } from "@pulumi/pulumi/automation/index.js";
import { execa } from "execa";
import { type GoProgram, buildGoProgram, findGoBuilds, lastLine, withProgress } from "../go-build.ts";

/**
 * The Pulumi command line, from the first place that has it: PATH; the cache; the vendor's download; a build with Go from
 * its published modules, pinned by go.mod and go.sum beside this file.
 *
 * The built one lacks the language host for Node, whose module has no published version. It runs our program all the
 * same, because the Automation API serves the program from its own process (`components/environment/run-engine.ts`);
 * `pulumi up` typed in a shell needs the vendor's.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const CACHE = path.join(REPOSITORY, ".bedplate/cache/pulumi");
const SOURCE_FOLDER = import.meta.dirname;

/** Version that go.mod pins; it has to be told to the build. */
const BUILT_VERSION = "v3.259.0";
const MAIN_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi";

/** A download that has not ended by then will not: the archive has 120 MB. */
const DOWNLOAD_LIMIT_MILLIS = 180_000;

/** What is built where it can be had in no other way. */
function goProgram(cacheFolder: string): GoProgram {
  return {
    what: "the Pulumi command line",
    name: "pulumi",
    mainPackage: MAIN_PACKAGE,
    sourceFolder: SOURCE_FOLDER,
    cacheFolder,
    linkerVariables: { "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version": BUILT_VERSION },
  };
}

export interface PulumiCli {
  readonly path: string;
  /** What `PulumiCommand.get({root})` takes; undefined for the one on PATH. */
  readonly root: string | undefined;
  readonly version: string;
  readonly how: "path" | "cache" | "download" | "build";
}

export interface NoPulumiCli {
  readonly missing: string;
  /** What was tried, in order, and why it did not do. */
  readonly tried: readonly string[];
}

export interface GetPulumiCliArgs {
  readonly progress?: (message: string) => void;
  readonly cacheFolder?: string;
  /** @default true; false where nothing may be fetched but Go modules */
  readonly downloads?: boolean;
  readonly signal?: AbortSignal;
}

/** Finds what is there already, quickly and without making anything. */
export async function findPulumiCli(args: GetPulumiCliArgs = {}): Promise<PulumiCli | NoPulumiCli> {
  const tried: string[] = [];
  const cacheFolder = args.cacheFolder ?? CACHE;
  const onPath = await versionOf(undefined);
  if (typeof onPath !== "string") return { ...onPath, how: "path" };
  tried.push(`PATH: ${onPath}`);
  const roots = [path.join(cacheFolder, "download"), ...(await findGoBuilds(goProgram(cacheFolder)))];
  for (const root of roots.filter((folder) => existsSync(path.join(folder, "bin/pulumi")))) {
    const cached = await versionOf(root);
    if (typeof cached !== "string") return { ...cached, how: "cache" };
    tried.push(`cache ${root}: ${cached}`);
  }
  return { missing: "the Pulumi command line", tried };
}

/** Finds the command line or makes it; never throws because one way does not work. */
export async function getPulumiCli(args: GetPulumiCliArgs = {}): Promise<PulumiCli | NoPulumiCli> {
  const found = await findPulumiCli(args);
  if (!("missing" in found)) return found;
  const tried = [...found.tried];
  for (const way of [download, build]) {
    const result = await way(args);
    if (typeof result !== "string") return result;
    tried.push(result);
  }
  return { missing: found.missing, tried };
}

/** The vendor's installer, through the SDK's own function, in a process that can be stopped. */
async function download(args: GetPulumiCliArgs): Promise<PulumiCli | string> {
  if (args.downloads === false) return "download: not wanted";
  const root = path.join(args.cacheFolder ?? CACHE, "download");
  const result = await withProgress(args, "downloading the Pulumi command line", (cancelSignal) =>
    execa(process.execPath, [path.join(SOURCE_FOLDER, "download-cli.ts"), root], {
      reject: false,
      all: true,
      stdin: "ignore",
      timeout: DOWNLOAD_LIMIT_MILLIS,
      cancelSignal,
    }),
  );
  if (result.exitCode === 0) {
    const installed = await versionOf(root);
    if (typeof installed !== "string") return { ...installed, how: "download" };
    return `download: ${installed}`;
  }
  rmSync(root, { recursive: true, force: true });
  return `download: ${result.timedOut ? `not done after ${DOWNLOAD_LIMIT_MILLIS / 1000} s` : lastLine(result.all)}`;
}

async function build(args: GetPulumiCliArgs): Promise<PulumiCli | string> {
  const made = await buildGoProgram(goProgram(args.cacheFolder ?? CACHE), args);
  if ("because" in made) return made.because;
  const built = await versionOf(made.root);
  return typeof built === "string" ? `build: ${built}` : { ...built, how: "build" };
}

/** The command line there, or why it does not do. */
async function versionOf(root: string | undefined): Promise<Omit<PulumiCli, "how"> | string> {
  try {
    const command = await PulumiCommand.get(root === undefined ? undefined : { root });
    return { path: command.command, root, version: command.version?.version ?? "unknown" };
  } catch (error) {
    return error instanceof Error ? lastLine(error.message) : "does not answer";
  }
}

if (import.meta.main) {
  const cli = await getPulumiCli({ progress: (message) => process.stderr.write(`${message}\n`) });
  process.stdout.write(`${JSON.stringify(cli, null, 2)}\n`);
  process.exitCode = "missing" in cli ? 1 : 0;
}
