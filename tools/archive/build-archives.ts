import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync } from "node:fs";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  DEVICE_UNIT,
  DRIFT_TIMER,
  DRIFT_UNIT,
  EARLY_UNIT,
  HOST_PATHS,
  LATE_UNIT,
  NODE_FLAGS,
} from "../../host-tuning/boot/paths.ts";
import { renderUdevRules } from "../../host-tuning/boot/udev-rules.ts";
import {
  renderDeviceUnit,
  renderDriftTimer,
  renderDriftUnit,
  renderEarlyUnit,
  renderLateUnit,
} from "../../host-tuning/boot/units.ts";
import { bundleProgram } from "./bundle.ts";
import { type Architecture, lockedNode, readNodeRuntime } from "./node-runtime.ts";
import { type ArchiveEntry, packArchive, sha256Of } from "./pack.ts";

/** An archive on disk, named by the sha256 of its bytes. */
export interface Archive {
  readonly path: string;
  readonly fileName: string;
  readonly sha256: string;
  readonly bytes: number;
}

export interface Archives {
  /** The agent's bundle, its units and the pinned Node. */
  readonly agent: Archive;
  /** The reference service's bundle; it runs on the agent archive's Node. */
  readonly service: Archive;
  readonly isFromCache: boolean;
}

export interface BuildArchivesArgs {
  readonly architecture?: Architecture;
  readonly repositoryFolder?: string;
  readonly cacheFolder?: string;
}

const REPOSITORY_FOLDER = path.resolve(import.meta.dirname, "../..");

/** What the archives are made from, besides Node and the packages that the lockfile pins. */
const SOURCE_FOLDERS = ["host-tuning", "service", "tools/archive"];

const COMMAND_TEXT = `#!/bin/sh
# The agent, by name: bedplate plan, bedplate status.
folder=$(dirname "$(readlink -f "$0")")
exec env NODE_COMPILE_CACHE="\${NODE_COMPILE_CACHE:-/var/cache/bedplate}" "$folder/node" ${NODE_FLAGS.join(" ")} "$folder/../main.cjs" "$@"
`;

/**
 * Builds both archives, or takes them from the cache when nothing that goes into them has changed. The same sources
 * give the same bytes, and so the same name, on every machine.
 */
export async function buildArchives(args: BuildArchivesArgs = {}): Promise<Archives> {
  const architecture = args.architecture ?? "x86_64";
  const repositoryFolder = args.repositoryFolder ?? REPOSITORY_FOLDER;
  const cacheFolder = args.cacheFolder ?? path.join(repositoryFolder, ".bedplate", "cache", "archives");
  mkdirSync(cacheFolder, { recursive: true });
  const indexPath = path.join(
    cacheFolder,
    `index-${architecture}-${digestInputs(repositoryFolder, architecture)}.json`,
  );
  const cached = await readIndex(indexPath, cacheFolder);
  if (cached !== undefined) return { ...cached, isFromCache: true };

  const [agentEntries, serviceEntries] = await Promise.all([
    agentArchiveEntries(repositoryFolder, path.join(cacheFolder, "node"), architecture),
    serviceArchiveEntries(repositoryFolder),
  ]);
  const agent = await storeArchive(cacheFolder, `agent-${architecture}`, agentEntries);
  const service = await storeArchive(cacheFolder, "service", serviceEntries);
  await writeWhole(
    indexPath,
    `${JSON.stringify({ agent: agent.fileName, service: service.fileName }, null, 2)}\n`,
  );
  await pruneCache(cacheFolder);
  return { agent, service, isFromCache: false };
}

async function agentArchiveEntries(
  repositoryFolder: string,
  nodeFolder: string,
  architecture: Architecture,
): Promise<ArchiveEntry[]> {
  const [bundle, node] = await Promise.all([
    bundleProgram(repositoryFolder, "host-tuning/main.ts"),
    readNodeRuntime(repositoryFolder, nodeFolder, architecture),
  ]);
  return [
    textEntry("main.cjs", bundle.code),
    { name: "bin/node", content: node.binary, isExecutable: true },
    { name: "bin/bedplate", content: Buffer.from(COMMAND_TEXT), isExecutable: true },
    textEntry(`units/${EARLY_UNIT}`, Buffer.from(renderEarlyUnit())),
    textEntry(`units/${LATE_UNIT}`, Buffer.from(renderLateUnit())),
    textEntry(`units/${DRIFT_UNIT}`, Buffer.from(renderDriftUnit())),
    textEntry(`units/${DRIFT_TIMER}`, Buffer.from(renderDriftTimer())),
    textEntry(`units/${DEVICE_UNIT}`, Buffer.from(renderDeviceUnit())),
    textEntry(`units/${path.basename(HOST_PATHS.udevRules)}`, Buffer.from(renderUdevRules())),
    textEntry("licenses/node.txt", node.licence),
    textEntry("licenses/bundle.txt", bundle.notices),
    ...ownLicence(repositoryFolder),
  ];
}

async function serviceArchiveEntries(repositoryFolder: string): Promise<ArchiveEntry[]> {
  const bundle = await bundleProgram(repositoryFolder, "service/main.ts");
  return [
    textEntry("main.cjs", bundle.code),
    textEntry("licenses/bundle.txt", bundle.notices),
    ...ownLicence(repositoryFolder),
  ];
}

function textEntry(name: string, content: Buffer): ArchiveEntry {
  return { name, content, isExecutable: false };
}

function ownLicence(repositoryFolder: string): ArchiveEntry[] {
  return [textEntry("licenses/bedplate.txt", readFileSync(path.join(repositoryFolder, "LICENSE")))];
}

/** Digest of everything that the archives are made from; cheap, as it stands for Node by the lockfile's own digest. */
function digestInputs(repositoryFolder: string, architecture: Architecture): string {
  const hash = createHash("sha256");
  const add = (name: string, content: Buffer | string): void => {
    hash.update(`${name}\0${content.length}\0`).update(content);
  };
  add("node", lockedNode(repositoryFolder, architecture).integrity);
  for (const name of ["package.json", "package-lock.json", "LICENSE"])
    add(name, readFileSync(path.join(repositoryFolder, name)));
  for (const folder of SOURCE_FOLDERS) {
    const names = readdirSync(path.join(repositoryFolder, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.relative(repositoryFolder, path.join(entry.parentPath, entry.name)))
      .toSorted();
    for (const name of names) add(name, readFileSync(path.join(repositoryFolder, name)));
  }
  return hash.digest("hex").slice(0, 32);
}

/** The archives that an index names, when both are there and still have the digest in their name. */
async function readIndex(
  indexPath: string,
  cacheFolder: string,
): Promise<Pick<Archives, "agent" | "service"> | undefined> {
  if (!existsSync(indexPath)) return undefined;
  const index = JSON.parse(await readFile(indexPath, "utf8")) as { agent: string; service: string };
  const [agent, service] = await Promise.all(
    [index.agent, index.service].map((fileName) => checkArchive(cacheFolder, fileName)),
  );
  return agent === undefined || service === undefined ? undefined : { agent, service };
}

async function checkArchive(cacheFolder: string, fileName: string): Promise<Archive | undefined> {
  const filePath = path.join(cacheFolder, fileName);
  if (!existsSync(filePath)) return undefined;
  const content = await readFile(filePath);
  const sha256 = sha256Of(content);
  return fileName.includes(sha256) ? { path: filePath, fileName, sha256, bytes: content.length } : undefined;
}

async function storeArchive(
  cacheFolder: string,
  name: string,
  entries: readonly ArchiveEntry[],
): Promise<Archive> {
  const content = await packArchive(entries);
  const sha256 = sha256Of(content);
  const fileName = `${name}-${sha256}.tar.gz`;
  const filePath = path.join(cacheFolder, fileName);
  await writeWhole(filePath, content);
  return { path: filePath, fileName, sha256, bytes: content.length };
}

/** How long an archive stays after it was built. A machine that fetches one is up long before. */
const KEPT_MILLIS = 24 * 60 * 60 * 1000;

/** Each change of a source leaves 46 MB behind: archives older than a day go, and with them what names them. */
async function pruneCache(cacheFolder: string): Promise<void> {
  for (const entry of readdirSync(cacheFolder, { withFileTypes: true })) {
    const filePath = path.join(cacheFolder, entry.name);
    // Another build may have dropped it meanwhile.
    const file = entry.isFile() ? statSync(filePath, { throwIfNoEntry: false }) : undefined;
    if (file !== undefined && file.mtimeMs < Date.now() - KEPT_MILLIS) await rm(filePath, { force: true });
  }
}

/** A reader sees the whole file or none, also with two builds at once. */
async function writeWhole(filePath: string, content: Buffer | string): Promise<void> {
  const temporary = `${filePath}.${process.pid}.tmp`;
  try {
    await writeFile(temporary, content);
    await rename(temporary, filePath);
  } finally {
    await rm(temporary, { force: true });
  }
}
