import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import type { LocalPool } from "../environment/environment-spec.ts";
import type { Artifact } from "../environment/host-archives.ts";
import type { LocalVmSpecInput } from "./local-vm/vm-spec.ts";

/** Disks of a machine that needs any: two, so that a stripe over them is a stripe. */
const NVME_DISKS = 2;
const MIB_PER_GB = 1e9 / 2 ** 20;
const SMALLEST_DISK_MIB = 64;

/**
 * A pool's needs as a machine. A machine of no service (its readiness is then the agent's report alone) is not made: the
 * local environment is there to serve.
 */
export function localVmSpecOf(
  name: string,
  pool: LocalPool,
  boot: { readonly userData: string; readonly artifacts: readonly Artifact[]; readonly servicePort: number },
): LocalVmSpecInput {
  const { needs } = pool;
  const numaNodes = needs.numaNodes ?? 1;
  const perDiskMiB = Math.max(SMALLEST_DISK_MIB, Math.ceil((needs.nvmeGB * MIB_PER_GB) / NVME_DISKS));
  return {
    name,
    cpus: Math.ceil(needs.vcpus / numaNodes) * numaNodes,
    memoryMiB: Math.ceil((needs.memoryGiB * 1024) / numaNodes) * numaNodes,
    numaNodes,
    nvmeDisks:
      needs.nvmeGB === 0
        ? []
        : Array.from({ length: NVME_DISKS }, () => ({
            sizeMiB: perDiskMiB,
            numaNode: 0,
            logicalBlockBytes: 512 as const,
          })),
    sriovNic: pool.sriovNic,
    userData: boot.userData,
    artifacts: boot.artifacts.map(({ path, sha256 }) => ({ path, sha256 })),
    servicePort: boot.servicePort,
    readiness: { agentReportPath: HOST_PATHS.report, serviceHealthPath: "/healthz" },
  };
}
