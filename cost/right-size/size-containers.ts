import { type Environment, serviceNamespace } from "../../components/environment/environment-spec.ts";
import { adviseGpu } from "./advise-gpu.ts";
import type { ContainerUsage, UsageWindow } from "./container-usage.ts";
import { recommendRequests, type ResourceRecommendation } from "./recommend-requests.ts";
import type { ResourceReport, WorkloadReport } from "./right-size-report.ts";

export const MIB = 1024 * 1024;
/** Memory is asked for in whole pieces of this size: finer steps are noise in a reviewed file. Our choice. */
const MEMORY_STEP_MIB = 64;
/** The container of the service, as components/service names it. */
export const SERVICE_CONTAINER = "mcp-service";

/** A target that differs from what is requested by less than this share is no change worth a review. Our choice. */
const WORTH_SHARE = 0.1;

/** A container as it was seen, and what is recommended for it. */
export interface SizedContainer {
  readonly usage: ContainerUsage;
  readonly report: WorkloadReport;
}

function resourceReport(resource: ResourceRecommendation): ResourceReport {
  const { target, requested, because, ...rest } = resource;
  return { ...rest, target: target ?? null, requested: requested ?? null, because: [...because] };
}

function isService(usage: ContainerUsage, environment: Environment): boolean {
  return usage.namespace === serviceNamespace(environment) && usage.container === SERVICE_CONTAINER;
}

export function sizeContainer(
  usage: ContainerUsage,
  environment: Environment,
  window: UsageWindow,
): SizedContainer {
  const recommendation = recommendRequests(usage, window);
  const isOfEnvironment = isService(usage, environment);
  const { service } = environment;
  // The file's word holds where kube-state-metrics is silent.
  const requested = isOfEnvironment ? { cpu: service.cpus, memory: service.memoryMiB * MIB } : undefined;
  const cpuCores = resourceReport(recommendation.cpuCores);
  const memoryBytes = resourceReport(recommendation.memoryBytes);
  return {
    usage,
    report: {
      namespace: usage.namespace,
      ownerKind: usage.ownerKind,
      owner: usage.owner,
      container: usage.container,
      pods: usage.pods,
      isOfEnvironment,
      cpuCores: { ...cpuCores, requested: cpuCores.requested ?? requested?.cpu ?? null },
      memoryBytes: { ...memoryBytes, requested: memoryBytes.requested ?? requested?.memory ?? null },
      oomKills: recommendation.oomKills,
      isLeaking: recommendation.isLeaking,
      gpu: adviseGpu(usage, window) ?? null,
    },
  };
}

/** What each pod of the service asks for. */
export interface ServiceSize {
  readonly cpus: number;
  readonly memoryMiB: number;
  readonly gpus: number;
}

export const GPU_DEVICE = "nvidia.com/gpu";

/** A target that is sure for every container it was measured on. */
function sureTarget(
  reports: readonly WorkloadReport[],
  pick: (report: WorkloadReport) => ResourceReport,
): number | undefined {
  const resources = reports.map((report) => pick(report));
  if (resources.length === 0 || resources.some(({ confidence }) => confidence.level !== "high"))
    return undefined;
  return Math.max(...resources.map(({ target }) => target ?? 0));
}

/** The service's requests after: whole CPUs, as the environment has them; unchanged where too little is known. */
export function serviceAfter({ service }: Environment, sized: readonly SizedContainer[]): ServiceSize {
  const { cpus, memoryMiB } = service;
  const gpus = service.kubernetes?.devices[GPU_DEVICE] ?? 0;
  const reports = sized.filter(({ report }) => report.isOfEnvironment).map(({ report }) => report);
  const wantedCpus = sureTarget(reports, ({ cpuCores }) => cpuCores);
  const wantedBytes = sureTarget(reports, ({ memoryBytes }) => memoryBytes);
  const memoryAfter =
    wantedBytes === undefined ? memoryMiB : Math.ceil(wantedBytes / MIB / MEMORY_STEP_MIB) * MEMORY_STEP_MIB;
  const isWorth = memoryAfter > memoryMiB || memoryMiB - memoryAfter >= memoryMiB * WORTH_SHARE;
  const gpusAdvised = reports.map(({ gpu }) => gpu?.devicesAdvised ?? gpus);
  return {
    cpus: wantedCpus === undefined ? cpus : Math.max(1, Math.ceil(wantedCpus)),
    memoryMiB: isWorth ? memoryAfter : memoryMiB,
    gpus: gpus === 0 ? 0 : Math.min(gpus, Math.max(1, ...gpusAdvised)),
  };
}
