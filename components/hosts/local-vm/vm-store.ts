import { mkdir, readFile, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import * as z from "zod";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { LocalVmError } from "./vm-error.ts";
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
const OWNER = "owner";

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

/**
 * Marks a folder as the owner's, before anything is made in it. Machines are told apart by their names alone, and two
 * owners of one name would replace each other's machine, disks and all.
 *
 * @param owner as `project/stack`
 * @throws {LocalVmError} VM_TAKEN when it is another's
 */
export async function claimStateDir(stateDir: string, owner: string): Promise<void> {
  const path = join(stateDir, OWNER);
  await mkdir(stateDir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, `${owner}\n`, { flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    const other = (await readFile(path, "utf8")).trim();
    // An owner that was killed before it had written its name.
    if (other === "") return writeFile(path, `${owner}\n`);
    if (other !== owner) {
      throw new LocalVmError(
        "VM_TAKEN",
        `the machine of that name belongs to stack ${other}, in ${stateDir}: destroy that stack, or give the pool another name`,
      );
    }
  }
}

/** Removes everything of a VM from its folder but whose it is: a machine that is made anew has the same owner. */
export async function emptyStateDir(stateDir: string): Promise<void> {
  for (const name of await readdir(stateDir))
    if (name !== OWNER) await rm(join(stateDir, name), { recursive: true, force: true });
}

/** Where the agent's report of a VM's last boot is kept. */
export function reportPathIn(stateDir: string): string {
  return join(stateDir, "host-report.json");
}

/** Keeps the report on this machine: of a VM whose bring-up fails it is what there is to read. */
export async function saveReport(stateDir: string, report: HostReport): Promise<void> {
  await writeFile(reportPathIn(stateDir), `${JSON.stringify(report, undefined, 2)}\n`);
}

/** Replaces the record in one step, so that a reader and a killed writer never leave half of one. */
export async function writeRecord(stateDir: string, record: VmRecord): Promise<void> {
  const path = join(stateDir, RECORD);
  await writeFile(`${path}.new`, `${JSON.stringify(record, undefined, 2)}\n`, { mode: 0o600 });
  await rename(`${path}.new`, path);
}
