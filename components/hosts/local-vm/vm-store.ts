import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as z from "zod";
import { localVmSpecSchema } from "./vm-spec.ts";

const REPOSITORY = resolve(import.meta.dirname, "../../..");

/** Where images are kept between runs. */
export function cacheDir(): string {
  return resolve(process.env["BEDPLATE_CACHE_DIR"] ?? join(REPOSITORY, ".bedplate/cache"));
}

/** Where a VM's folder is unless the caller says otherwise. */
export function defaultStateDir(name: string): string {
  return resolve(process.env["BEDPLATE_VMS_DIR"] ?? join(REPOSITORY, ".bedplate/vms"), name);
}

const RECORD = "vm.json";

const vmRecordSchema = z.object({
  formatVersion: z.literal(1),
  id: z.uuid(),
  spec: localVmSpecSchema,
  sshPort: z.int(),
  servicePort: z.int(),
  accelerator: z.enum(["kvm", "tcg"]),
  /** Digest of the image that the root disk is an overlay of: over another image it would be a broken disk. */
  rootDiskSha256: z.string(),
  /** Disks, seed and keys are complete. Written last, so a VM whose making was cut short is made anew. */
  isComplete: z.boolean(),
});

/** What is kept of a VM in its folder. */
export type VmRecord = z.output<typeof vmRecordSchema>;

/** The record of a VM; `undefined` when the folder holds none, or one that this version does not understand. */
export async function readRecord(stateDir: string): Promise<VmRecord | undefined> {
  try {
    const parsed = vmRecordSchema.safeParse(JSON.parse(await readFile(join(stateDir, RECORD), "utf8")));
    return parsed.success ? parsed.data : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT" || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Forgets the VM of a folder, so that the next start makes it anew. */
export async function removeRecord(stateDir: string): Promise<void> {
  await rm(join(stateDir, RECORD), { force: true });
}

/** Replaces the record in one step, so that a reader and a killed writer never leave half of one. */
export async function writeRecord(stateDir: string, record: VmRecord): Promise<void> {
  const path = join(stateDir, RECORD);
  await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
