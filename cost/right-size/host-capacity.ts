import type { InstanceType } from "../catalogue/catalogue.ts";
import type { CpuOptions } from "../catalogue/choose-instance-type.ts";

/** Room on a host, or what a pod takes of it. Whole numbers, so that sums are exact. */
export interface Room {
  readonly milliCpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
  readonly pods: number;
}

/**
 * What EC2's firmware and hypervisor keep of the memory that a type is sold with: Karpenter's default for
 * `vmMemoryOverheadPercent`. https://karpenter.sh/docs/reference/settings/
 */
const VM_MEMORY_OVERHEAD_SHARE = 0.075;

/**
 * What the agent tells the kubelet to keep (host-tuning/kubernetes/kubelet-hand-over.ts, whose numbers a test compares):
 * one core in 16; 255 MiB and 11 MiB a pod for the kubelet, 1/64 of memory for the system, 100 MiB to evict in time.
 */
const CORES_PER_RESERVED = 16;
const KUBE_BASE_MIB = 255;
const KUBE_MIB_PER_POD = 11;
const SYSTEM = { share: 1 / 64, leastMiB: 256, mostMiB: 4096 } as const;
const EVICTION_MIB = 100;
const PODS = { small: 110, large: 250, largeFromCpus: 30 } as const;

/** EKS' own reservation on a host of one core, of which the agent takes none: 6 % of the first CPU, 1 % of the second. */
const ONE_CORE_MILLI_CPUS = 70;

/** Where EC2 says nothing of cores: two threads on Intel and on older AMD, one elsewhere. */
function threadsPerCore({ cpu, cpuManufacturer, family }: InstanceType): number {
  if (cpu !== undefined) return cpu.threadsPerCore;
  if (cpuManufacturer === "aws") return 1;
  const generation = Number(/^[a-z]+(\d+)/.exec(family)?.[1] ?? 0);
  return cpuManufacturer === "amd" && generation >= 7 ? 1 : 2;
}

/** What pods can have of a host of this type, with CPU options where it boots with some. */
export function allocatableOf(spec: InstanceType, options?: CpuOptions): Room {
  const threads = options?.threadsPerCore ?? threadsPerCore(spec);
  const vcpus = options === undefined ? spec.vcpus : options.coreCount * threads;
  const cores = Math.max(1, vcpus / threads);
  const reservedMilliCpus =
    cores === 1 ? ONE_CORE_MILLI_CPUS : Math.ceil(cores / CORES_PER_RESERVED) * threads * 1000;
  const totalMiB = Math.floor(spec.memoryMiB * (1 - VM_MEMORY_OVERHEAD_SHARE));
  const pods = vcpus < PODS.largeFromCpus ? PODS.small : PODS.large;
  const systemMiB = Math.min(SYSTEM.mostMiB, Math.max(SYSTEM.leastMiB, Math.floor(totalMiB * SYSTEM.share)));
  const keptMiB = KUBE_BASE_MIB + KUBE_MIB_PER_POD * pods + systemMiB + EVICTION_MIB;
  return {
    milliCpus: Math.max(0, vcpus * 1000 - reservedMilliCpus),
    memoryMiB: Math.max(0, totalMiB - keptMiB),
    gpus: spec.gpus.reduce((sum, gpu) => sum + gpu.count, 0),
    pods,
  };
}

/** `room` without what runs on every host. */
export function without(room: Room, taken: Room): Room {
  return {
    milliCpus: Math.max(0, room.milliCpus - taken.milliCpus),
    memoryMiB: Math.max(0, room.memoryMiB - taken.memoryMiB),
    gpus: Math.max(0, room.gpus - taken.gpus),
    pods: Math.max(0, room.pods - taken.pods),
  };
}

export function fits(taken: Room, room: Room): boolean {
  return (
    taken.milliCpus <= room.milliCpus &&
    taken.memoryMiB <= room.memoryMiB &&
    taken.gpus <= room.gpus &&
    taken.pods <= room.pods
  );
}
