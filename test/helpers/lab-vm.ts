import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bringUp, type LocalVm, openVm, tearDown } from "../../components/hosts/local-vm/local-vm.ts";
import type { LocalVmSpecInput } from "../../components/hosts/local-vm/vm-spec.ts";
import type { LocalVmBringUp } from "../../components/hosts/local-vm/vm-state.ts";
import { type Part, program, ROOT_USER } from "./needs.ts";

/** What a test that boots a VM gives to `describeWith`. */
export const LAB_PARTS: readonly Part[] = [
  program("qemu-system-x86_64", "apt-get install qemu-system-x86, from backports on Debian 12"),
  program("mmdebstrap", "apt-get install mmdebstrap"),
  ROOT_USER,
];

/** Longest time for a test that boots a VM: generous, because emulation shares the machine with other tests. */
export const LAB_TIMEOUT_MILLIS = 1_500_000;

export interface Lab {
  readonly vm: LocalVm;
  readonly stateDir: string;
  /** How the VM came up: phases and the agent's report. */
  readonly bringUp: LocalVmBringUp;
}

/**
 * Boots a VM of the local image in a folder of its own, runs `body` and removes the VM, whatever happens. A test that
 * shares one VM among several `test`s uses `startLab` and `endLab` in beforeAll and afterAll.
 */
export async function withLabVm<T>(
  spec: Omit<LocalVmSpecInput, "name">,
  body: (lab: Lab) => Promise<T>,
): Promise<T> {
  const lab = await startLab(spec);
  try {
    return await body(lab);
  } finally {
    await endLab(lab);
  }
}

export async function startLab(spec: Omit<LocalVmSpecInput, "name">): Promise<Lab> {
  const stateDir = await mkdtemp(join(tmpdir(), "bedplate-lab-"));
  try {
    const up = await bringUp({ ...spec, name: "lab" }, { stateDir });
    return { vm: await openVm(stateDir), stateDir, bringUp: up };
  } catch (error) {
    await endLab({ stateDir });
    throw error;
  }
}

export async function endLab({ stateDir }: Pick<Lab, "stateDir">): Promise<void> {
  await tearDown(stateDir);
  await rm(stateDir, { recursive: true, force: true });
}
