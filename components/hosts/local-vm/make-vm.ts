import { createHash, randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { copyFile, mkdir, open } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { execa } from "execa";
import { writeSeed } from "./cloud-seed.ts";
import { makeCpufreqSsdt } from "./cpufreq-ssdt.ts";
import type { VmImage } from "./image/image-cache.ts";
import { findQemus, type ProcessIdentity } from "./process-identity.ts";
import { renderQemuArguments, seedDrive, VM_FILES } from "./qemu-command.ts";
import { makeSshKeys, pinHostKey } from "./ssh-client.ts";
import { LocalVmError } from "./vm-error.ts";
import type { LocalVmSpec } from "./vm-spec.ts";
import type { Accelerator } from "./vm-state.ts";
import { emptyStateDir, type VmRecord, writeRecord } from "./vm-store.ts";

const PORT_ATTEMPTS = 5;

export const seedFolder = (stateDir: string): string => join(stateDir, "seed");
const artifactsFolder = (stateDir: string): string => join(stateDir, "artifacts");

/** The running QEMUs of the VM in a folder: none or one, and more only after a fault. */
export function findVmProcesses(stateDir: string): Promise<ProcessIdentity[]> {
  return findQemus(seedDrive(seedFolder(stateDir)));
}

/** Copies the artifacts in under their digests, checking each. A copy: the original may be rebuilt while the VM lives. */
async function copyArtifacts(stateDir: string, spec: LocalVmSpec): Promise<void> {
  const folder = artifactsFolder(stateDir);
  await mkdir(folder, { recursive: true });
  for (const artifact of spec.artifacts) {
    const path = join(folder, artifact.sha256);
    await copyFile(artifact.path, path);
    const hash = createHash("sha256");
    await pipeline(createReadStream(path), hash);
    const found = hash.digest("hex");
    if (found !== artifact.sha256) {
      throw new LocalVmError(
        "ARTIFACT_WRONG",
        `Cannot use ${artifact.path}: its sha256 is ${found}, ${artifact.sha256} was announced`,
      );
    }
  }
}

async function makeDisks(stateDir: string, spec: LocalVmSpec, image: VmImage): Promise<void> {
  const root = join(stateDir, VM_FILES.rootDisk);
  await execa("qemu-img", ["create", "-q", "-f", "qcow2", "-b", image.rootDisk, "-F", "qcow2", root], {
    timeout: 60_000,
  });
  for (const [index, disk] of spec.nvmeDisks.entries()) {
    const file = await open(join(stateDir, VM_FILES.nvme(index)), "w", 0o600);
    try {
      await file.truncate(disk.sizeMiB * 1024 * 1024);
    } finally {
      await file.close();
    }
  }
}

/** Free loopback ports, all different. Free now: QEMU may still lose the race for one, and is then started again. */
export async function pickFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from(
      { length: count },
      () =>
        new Promise<ReturnType<typeof createServer>>((done, failed) => {
          const server = createServer();
          server.once("error", failed);
          server.listen(0, "127.0.0.1", () => done(server));
        }),
    ),
  );
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string")
      throw new Error("Cannot pick a port: no TCP address");
    return address.port;
  });
  await Promise.all(servers.map((server) => new Promise((closed) => void server.close(closed))));
  return ports;
}

/** Makes disks, keys and seed of a new VM in an emptied folder. Nothing runs yet. */
export async function makeVm(
  stateDir: string,
  spec: LocalVmSpec,
  image: VmImage,
  accelerator: Accelerator,
): Promise<VmRecord> {
  await emptyStateDir(stateDir);
  const [sshPort = 0, servicePort = 0] = await pickFreePorts(2);
  const record: VmRecord = {
    formatVersion: 1,
    id: randomUUID(),
    spec,
    sshPort,
    servicePort,
    accelerator,
    rootDiskSha256: image.manifest.files["root.qcow2"]?.sha256 ?? "",
    isComplete: false,
  };
  await writeRecord(stateDir, record);
  const keys = await makeSshKeys(stateDir);
  await writeSeed(seedFolder(stateDir), {
    instanceId: record.id,
    hostname: spec.name,
    userData: spec.userData,
    ...keys,
  });
  await copyArtifacts(stateDir, spec);
  await makeDisks(stateDir, spec, image);
  const complete = { ...record, isComplete: true };
  await writeRecord(stateDir, complete);
  return complete;
}

/**
 * Starts QEMU on a VM that is made. QEMU comes back only when all its devices are there, so its faults are told here;
 * a port that was taken in the meantime is replaced.
 *
 * @throws {LocalVmError} QEMU_START
 */
export async function startVm(
  stateDir: string,
  before: VmRecord,
  image: VmImage,
): Promise<{ readonly record: VmRecord; readonly qemu: ProcessIdentity }> {
  const ssdt = await makeCpufreqSsdt(stateDir, before.spec.cpus);
  let record = before;
  for (let attempt = 1; ; attempt++) {
    await writeRecord(stateDir, record);
    await pinHostKey(stateDir, record.sshPort);
    const args = renderQemuArguments({
      ...record,
      vmlinux: image.vmlinux,
      initrd: image.initrd,
      grubDisk: image.grubDisk,
      seedFolder: seedFolder(stateDir),
      artifactsFolder: artifactsFolder(stateDir),
      busybox: "/bin/busybox",
      ssdt,
    });
    const result = await execa("qemu-system-x86_64", args, {
      cwd: stateDir,
      reject: false,
      timeout: 60_000,
      stdin: "ignore",
      stdout: "ignore",
    });
    if (!result.failed) {
      const qemu = (await findVmProcesses(stateDir))[0];
      if (qemu === undefined) {
        throw new LocalVmError(
          "QEMU_START",
          `Cannot start QEMU: it ended at once (${join(stateDir, VM_FILES.qemuLog)})`,
        );
      }
      return { record, qemu };
    }
    const isPortTaken = /host forwarding rule/.test(result.stderr);
    if (!isPortTaken || attempt === PORT_ATTEMPTS) {
      throw new LocalVmError(
        "QEMU_START",
        `Cannot start QEMU: ${result.stderr.trim() || result.shortMessage}`,
      );
    }
    const [sshPort = 0, servicePort = 0] = await pickFreePorts(2);
    record = { ...record, sshPort, servicePort };
  }
}
