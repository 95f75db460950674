import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import path from "node:path";
import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";
import { buildArchives } from "../../tools/archive/build-archives.ts";
import type { HostNeeds } from "./environment-spec.ts";

type Architecture = HostNeeds["architecture"];

/** A file on this machine that hosts fetch at boot, named by its digest. */
export interface Artifact {
  readonly path: string;
  readonly sha256: string;
}

/** What hosts fetch: the agent with its runtime for each architecture, and the service that runs on it. */
export interface HostArchives {
  readonly agent: { readonly [architecture in Architecture]?: Artifact };
  readonly service: Artifact;
}

const artifactSchema = z.strictObject({
  path: z.string().min(1).describe("Relative to the list"),
  sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 lower-case hexadecimal digits"),
});

const manifestSchema = z.strictObject({
  agent: z.strictObject({ x86_64: artifactSchema.optional(), arm64: artifactSchema.optional() }),
  service: artifactSchema,
});

/** The archives that a list names, or those that an environment's hosts need, built. */
export async function loadHostArchives(
  hostPools: readonly { readonly needs: HostNeeds }[],
  manifest: string | undefined,
): Promise<HostArchives> {
  return manifest === undefined
    ? await buildHostArchives(new Set(hostPools.map((pool) => pool.needs.architecture)))
    : await readHostArchives(manifest);
}

/** Builds the archives for these architectures from the sources here, or takes them from the cache. */
export async function buildHostArchives(architectures: ReadonlySet<Architecture>): Promise<HostArchives> {
  const built = new Map<Architecture, Artifact>();
  let service: Artifact | undefined;
  for (const architecture of architectures) {
    const archives = await buildArchives({ architecture });
    built.set(architecture, { path: archives.agent.path, sha256: archives.agent.sha256 });
    service = { path: archives.service.path, sha256: archives.service.sha256 };
  }
  if (service === undefined) throw new RangeError("Cannot build archives for no architecture");
  return { agent: Object.fromEntries(built), service };
}

/**
 * Archives that were built elsewhere, as a release is: the list names each file and its digest, and the files are checked.
 *
 * @throws {InputError} when the list or a file is missing or wrong, with every fault
 */
export async function readHostArchives(manifest: string): Promise<HostArchives> {
  const text = await readFile(manifest, "utf8").catch((cause: unknown) => {
    throw new InputError(manifest, [{ path: "", message: "Cannot read the list of archives" }], { cause });
  });
  const list = parseContract(manifestSchema, parseYamlText(text, manifest), manifest);
  const faults: Fault[] = [];
  const placed = async (at: string, artifact: Artifact): Promise<Artifact> => {
    const file = path.resolve(path.dirname(manifest), artifact.path);
    const found = await readFile(file).then(
      (content) => createHash("sha256").update(content).digest("hex"),
      () => undefined,
    );
    if (found === undefined) faults.push({ path: `${at}.path`, message: `Cannot read "${file}"` });
    else if (found !== artifact.sha256)
      faults.push({ path: `${at}.sha256`, message: `the file has ${found}` });
    return { path: file, sha256: artifact.sha256 };
  };
  const agent: { [architecture in Architecture]?: Artifact } = {};
  for (const architecture of ["x86_64", "arm64"] as const) {
    const artifact = list.agent[architecture];
    if (artifact !== undefined) agent[architecture] = await placed(`agent.${architecture}`, artifact);
  }
  const service = await placed("service", list.service);
  if (faults.length > 0) throw new InputError(manifest, faults);
  return { agent, service };
}
