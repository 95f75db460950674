import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import path from "node:path";
import { execa } from "execa";

/** A program in Go that is built from its published modules, pinned by go.mod and go.sum in a folder. */
export interface GoProgram {
  /** For people, as in "the Pulumi command line". */
  readonly what: string;
  readonly name: string;
  readonly mainPackage: string;
  /** Where go.mod and go.sum are. */
  readonly sourceFolder: string;
  /** Files of our own, below that folder. */
  readonly sources?: readonly string[];
  readonly cacheFolder: string;
  /** Variables that the linker sets. */
  readonly linkerVariables?: Readonly<Record<string, string>>;
}

export interface WorkArgs {
  readonly progress?: (message: string) => void;
  readonly signal?: AbortSignal;
}

/** A cold build takes 3 minutes on 2 CPUs here; on one slow CPU it may take five times that. */
const BUILD_LIMIT_MILLIS = 1_800_000;
const PROGRESS_EVERY_MILLIS = 10_000;

/**
 * Folders of builds of these modules that are there, each with bin/NAME: by this compiler, or, without one on PATH, by
 * whichever made them.
 */
export async function findGoBuilds(program: GoProgram): Promise<readonly string[]> {
  const goVersion = await readGoVersion(program);
  const roots = goVersion === undefined ? cachedRoots(program) : [buildRoot(program, goVersion)];
  return roots.filter((root) => existsSync(binaryIn(root, program)));
}

/** Builds the program into a folder of the cache; never throws because the build does not work. */
export async function buildGoProgram(
  program: GoProgram,
  args: WorkArgs,
): Promise<{ readonly root: string } | { readonly because: string }> {
  const goVersion = await readGoVersion(program);
  if (goVersion === undefined)
    return { because: "build: no Go on PATH (1.26 or newer, as the Debian package golang-1.26)" };
  const root = buildRoot(program, goVersion);
  const binary = binaryIn(root, program);
  const unfinished = `${binary}.${process.pid}`;
  mkdirSync(path.dirname(binary), { recursive: true });
  const variables = Object.entries(program.linkerVariables ?? {}).map(
    ([name, value]) => ` -X ${name}=${value}`,
  );
  const result = await withProgress(args, `building ${program.what} with Go`, (cancelSignal) =>
    execa(
      "go",
      [
        "build",
        "-mod=readonly",
        "-trimpath",
        // Nobody debugs it, and with fewer collections the compiler is a tenth faster.
        "-gcflags=all=-dwarf=false",
        "-ldflags",
        `-s -w${variables.join("")}`,
        "-o",
        unfinished,
        program.mainPackage,
      ],
      {
        cwd: program.sourceFolder,
        reject: false,
        all: true,
        stdin: "ignore",
        timeout: BUILD_LIMIT_MILLIS,
        cancelSignal,
        env: { CGO_ENABLED: "0", GOFLAGS: "", GOWORK: "off", GOGC: "400" },
      },
    ),
  );
  if (result.exitCode !== 0) {
    rmSync(unfinished, { force: true });
    return { because: `build with ${goVersion}: ${lastLine(result.all)}` };
  }
  renameSync(unfinished, binary);
  return { root };
}

/** Tells every ten seconds how long the work has taken. */
export async function withProgress<T>(
  args: WorkArgs,
  what: string,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const startedAt = performance.now();
  const tell = () => args.progress?.(`${what}: ${Math.round((performance.now() - startedAt) / 1000)} s`);
  tell();
  const timer = setInterval(tell, PROGRESS_EVERY_MILLIS);
  try {
    return await work(args.signal ?? new AbortController().signal);
  } finally {
    clearInterval(timer);
  }
}

export function lastLine(text: string | undefined): string {
  return text?.trim().split("\n").at(-1)?.trim() ?? "no output";
}

/** A build is named by all that decides its bytes: the pinned modules, our sources and the compiler. */
function buildRoot(program: GoProgram, goVersion: string): string {
  return path.join(program.cacheFolder, `${sourcesDigest(program)}-${goVersion}`);
}

function binaryIn(root: string, { name }: GoProgram): string {
  return path.join(root, "bin", name);
}

function sourcesDigest({ sourceFolder, sources = [] }: GoProgram): string {
  const hash = createHash("sha256");
  for (const file of ["go.mod", "go.sum", ...sources])
    hash.update(readFileSync(path.join(sourceFolder, file)));
  return hash.digest("hex").slice(0, 32);
}

function cachedRoots(program: GoProgram): string[] {
  if (!existsSync(program.cacheFolder)) return [];
  const digest = sourcesDigest(program);
  return readdirSync(program.cacheFolder)
    .filter((name) => name.startsWith(`${digest}-`))
    .toSorted()
    .map((name) => path.join(program.cacheFolder, name));
}

async function readGoVersion({ sourceFolder }: GoProgram): Promise<string | undefined> {
  const result = await execa("go", ["env", "GOVERSION"], {
    reject: false,
    cwd: sourceFolder,
    timeout: 20_000,
  });
  return result.exitCode === 0 ? result.stdout.trim() : undefined;
}
