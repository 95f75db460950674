import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { build } from "esbuild";

export interface Bundle {
  readonly code: Buffer;
  /** Licence texts of the packages whose code is in the bundle. */
  readonly notices: Buffer;
}

/**
 * One CommonJS file from a program and everything that it imports, for the pinned Node. Not minified: a stack trace from
 * a host should name what it names here. Not an ES module: one that imports Node's own modules has Node read every
 * property of each of them at the start, which is a tenth of what the agent's plan costs.
 */
export async function bundleProgram(repositoryFolder: string, entry: string): Promise<Bundle> {
  const result = await build({
    absWorkingDir: repositoryFolder,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    platform: "node",
    format: "cjs",
    target: "node24",
    legalComments: "eof",
    charset: "utf8",
    logLevel: "silent",
  });
  const [output] = result.outputFiles;
  if (output === undefined) throw new Error(`Cannot bundle ${entry}: esbuild gave no output`);
  return {
    code: Buffer.from(output.contents),
    notices: Buffer.from(noticesOf(repositoryFolder, Object.keys(result.metafile.inputs)), "utf8"),
  };
}

/** `node_modules/@scope/name` of an input, also of one below another package's own node_modules. */
function packageFolderOf(input: string): string | undefined {
  return /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input)?.[1];
}

function noticesOf(repositoryFolder: string, inputs: readonly string[]): string {
  const folders = new Set(inputs.map(packageFolderOf).filter((folder) => folder !== undefined));
  return [...folders]
    .toSorted()
    .map((folder) => noticeOf(path.join(repositoryFolder, folder)))
    .join("\n");
}

function noticeOf(folder: string): string {
  const manifest = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8")) as {
    name?: string;
    version?: string;
    license?: string;
  };
  const file = readdirSync(folder)
    .toSorted()
    .find((name) => /^(licen[cs]e|copying)(\.|$)/i.test(name));
  const text =
    file === undefined
      ? `Licence: ${manifest.license ?? "see the package"}`
      : readFileSync(path.join(folder, file), "utf8");
  return `== ${manifest.name ?? folder} ${manifest.version ?? ""}\n${text.trim()}\n`;
}
