import {
  type ContainerUsage,
  latestOf,
  pointsOf,
  type UsageSeries,
  type UsageWindow,
} from "./container-usage.ts";
import { confidenceOf } from "./recommend-requests.ts";
import type { GpuAdvice } from "./right-size-report.ts";
import type { UsageMetric } from "./usage-metrics.ts";

/** A GPU whose multiprocessors had work in less than this share, at its 95th percentile, had none. Our choice. */
const IDLE_SM_SHARE = 0.01;
/** A driver and a context without a process stay below it. Our choice. */
const IDLE_MEMORY_BYTES = 600 * 1024 * 1024;
/** Room over the highest use: a model's cache grows with its longest input. Our choice. */
const MARGIN = 1.15;
/** Held back in more than this share of points, a GPU is not too large, whatever its activity says. Our choice. */
const THROTTLED_SHARE = 0.05;

/**
 * Bits of NVML's clock event reasons that mean heat or power: SwPowerCap, HwSlowdown, SwThermalSlowdown,
 * HwThermalSlowdown, HwPowerBrakeSlowdown. The others (idle, application clocks, sync boost) hold nothing back.
 * https://docs.nvidia.com/deploy/nvml-api/group__nvmlClocksEventReasons.html
 */
const HELD_BACK = 0x04 | 0x08 | 0x20 | 0x40 | 0x80;

interface MigProfile {
  readonly name: string;
  /** Of the multiprocessors. */
  readonly smShare: number;
  readonly memoryGiB: number;
}

const sevenths = (sizes: readonly (readonly [slices: number, memoryGB: number])[]): readonly MigProfile[] =>
  sizes.map(([slices, memoryGB]) => ({
    name: `${slices}g.${memoryGB}gb`,
    smShare: slices / 7,
    memoryGiB: memoryGB,
  }));

/**
 * Models that can be sliced, by what their name holds and the memory that tells two of one name apart, smallest slice
 * first. https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html
 */
const MIG_MODELS: readonly {
  readonly model: RegExp;
  readonly leastGiB: number;
  readonly profiles: readonly MigProfile[];
}[] = [
  {
    model: /A30/i,
    leastGiB: 20,
    profiles: [
      { name: "1g.6gb", smShare: 1 / 4, memoryGiB: 6 },
      { name: "2g.12gb", smShare: 2 / 4, memoryGiB: 12 },
    ],
  },
  {
    model: /A100/i,
    leastGiB: 70,
    profiles: sevenths([
      [1, 10],
      [1, 20],
      [2, 20],
      [3, 40],
      [4, 40],
    ]),
  },
  {
    model: /A100/i,
    leastGiB: 30,
    profiles: sevenths([
      [1, 5],
      [1, 10],
      [2, 10],
      [3, 20],
      [4, 20],
    ]),
  },
  {
    model: /H200/i,
    leastGiB: 130,
    profiles: sevenths([
      [1, 18],
      [1, 35],
      [2, 35],
      [3, 71],
      [4, 71],
    ]),
  },
  {
    model: /H100(?!.*NVL)/i,
    leastGiB: 70,
    profiles: sevenths([
      [1, 10],
      [1, 20],
      [2, 20],
      [3, 40],
      [4, 40],
    ]),
  },
];

const GIB = 1024 ** 3;

/** A slice's name says a little more than a process gets of it (4.75 GiB of 1g.5gb). */
const MIG_USABLE_SHARE = 0.95;

function highest(series: readonly UsageSeries[]): number | undefined {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value));
  return values.length === 0 ? undefined : values.reduce((most, value) => Math.max(most, value));
}

function percentile(series: readonly UsageSeries[], share: number): number | undefined {
  const values = series.flatMap(({ points }) => points.map(({ value }) => value)).toSorted((a, b) => a - b);
  return values[Math.max(0, Math.ceil(share * values.length) - 1)];
}

function isIdle(device: ReadonlyMap<UsageMetric, readonly UsageSeries[]>): boolean {
  const active = percentile(device.get("gpu_sm_active_share") ?? [], 0.95);
  const memory = highest(device.get("gpu_memory_used_bytes") ?? []);
  // What is not measured is not 0: a device without one of the two is not called idle.
  return active !== undefined && memory !== undefined && active < IDLE_SM_SHARE && memory < IDLE_MEMORY_BYTES;
}

function migProfileFor(
  model: string | undefined,
  totalBytes: number | undefined,
  usedBytes: number,
  smActive: number,
): MigProfile | undefined {
  const known = MIG_MODELS.find(
    (entry) => entry.model.test(model ?? "") && (totalBytes ?? 0) / GIB >= entry.leastGiB,
  );
  return known?.profiles.find(
    ({ smShare, memoryGiB }) =>
      smShare >= smActive * MARGIN && memoryGiB * GIB * MIG_USABLE_SHARE >= usedBytes * MARGIN,
  );
}

/**
 * What a container does with its GPUs. Whole devices are what Kubernetes hands out, so only a device that nobody used
 * can go; a smaller slice is advice, because activity on one model says little about another. Undefined for a container
 * without GPUs.
 */
export function adviseGpu(container: ContainerUsage, window: UsageWindow): GpuAdvice | undefined {
  const ofDevices = [...container.series.values()].flat().filter(({ device }) => device !== "");
  const requested = latestOf(container, "gpu_request_devices");
  if (ofDevices.length === 0 && (requested ?? 0) === 0) return undefined;
  const byDevice = Map.groupBy(ofDevices, ({ device }) => device);
  const devices = Array.from(byDevice.values(), (series) => Map.groupBy(series, ({ metric }) => metric));
  const all = (metric: UsageMetric): readonly UsageSeries[] => container.series.get(metric) ?? [];
  const active = percentile(all("gpu_sm_active_share"), 0.95);
  const used = highest(all("gpu_memory_used_bytes"));
  const total = highest(all("gpu_memory_total_bytes"));
  const reasons = pointsOf(container, "gpu_throttle_reasons");
  const held = reasons.filter(({ value }) => (value & HELD_BACK) !== 0).length;
  const throttled = reasons.length === 0 ? undefined : held / reasons.length;
  const idle = devices.filter(isIdle).length;
  const model = ofDevices.find(({ gpuModel }) => gpuModel !== "")?.gpuModel;
  const { level, because: seen } = confidenceOf(pointsOf(container, "gpu_sm_active_share"), window);
  const isHeldBack = (throttled ?? 0) > THROTTLED_SHARE;
  // Every pod has as many devices: what is idle is shared out among them, and rounded down.
  const idlePerPod = Math.floor((idle * (requested ?? 0)) / Math.max(1, devices.length));
  const isSure = level !== "none" && active !== undefined && used !== undefined;
  const advised = isSure && requested !== undefined ? Math.max(1, requested - idlePerPod) : undefined;
  const slice =
    isSure && !isHeldBack && advised === 1 ? migProfileFor(model, total, used, active) : undefined;
  return {
    devicesRequested: requested ?? null,
    devicesSeen: devices.length,
    devicesIdle: idle,
    model: model ?? null,
    smActiveP95: active ?? null,
    memoryUsedPeakBytes: used ?? null,
    memoryTotalBytes: total ?? null,
    throttledShare: throttled ?? null,
    devicesAdvised: advised ?? null,
    migProfile: slice?.name ?? null,
    because: [
      ...(active === undefined
        ? ["DCGM_FI_PROF_SM_ACTIVE is not collected: activity is not known, and not 0"]
        : []),
      ...(used === undefined ? ["DCGM_FI_DEV_FB_USED is not collected: memory is not known, and not 0"] : []),
      ...(level === "none" ? [seen] : []),
      ...(idle > 0 ? [`${idle} of ${devices.length} devices had no work and no process`] : []),
      ...(isHeldBack
        ? [
            `held back by heat or power in ${Math.round((throttled ?? 0) * 100)} % of points: activity says too little`,
          ]
        : []),
      ...(slice === undefined
        ? []
        : [
            `a ${slice.name} slice would hold ${Math.ceil((used ?? 0) / GIB)} GiB and ${Math.round((active ?? 0) * 100)} % activity: only a saving when others take the rest of the device`,
          ]),
    ],
  };
}
