/** What simulated pods want, step by step: known before and after, as no monitoring ever knows it. */
export const STEP_SECONDS = 300;
export const STEPS_PER_DAY = 288;
const MIB = 1024 * 1024;

/** Numbers from 0 to 1 that depend on the seed alone (mulberry32), on every machine the same. */
function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const WORKLOAD_KINDS = ["diurnal", "bursty", "growing", "leaking", "nightly-batch", "steady"] as const;

export type WorkloadKind = (typeof WORKLOAD_KINDS)[number];

/** A workload of alike pods, with what each wants at each step. */
export interface SimulatedWorkload {
  readonly name: string;
  readonly kind: WorkloadKind;
  readonly requested: { readonly cpuCores: number; readonly memoryBytes: number };
  /** By pod, by step: CPU that it would use with no limit. */
  readonly cpuCores: readonly Float64Array[];
  /** By pod, by step: memory beyond which it is killed, if it had not been restarted meanwhile. */
  readonly memoryBytes: readonly Float64Array[];
  /** What a pod of a leaking workload grows by at each step; a restart takes it back. */
  readonly leakBytesPerStep: number;
}

interface Shape {
  readonly baseCpu: number;
  readonly baseMemory: number;
  /** Peak of the day over its mean. */
  readonly swing: number;
  readonly weekend: number;
  readonly phase: number;
  readonly growthPerDay: number;
  readonly burstsPerDay: number;
  readonly burstFactor: number;
}

function between(random: () => number, low: number, high: number): number {
  return low + (high - low) * random();
}

/** Sizes spread over powers, as those of real fleets do. */
function powerBetween(random: () => number, low: number, high: number): number {
  return low * (high / low) ** random();
}

function shapeOf(kind: WorkloadKind, random: () => number): Shape {
  return {
    baseCpu: powerBetween(random, 0.1, 1.2),
    baseMemory: powerBetween(random, 200, 6000) * MIB,
    swing: kind === "steady" || kind === "leaking" ? 0.1 : between(random, 0.3, 1.2),
    weekend: kind === "diurnal" || kind === "growing" ? between(random, 0.3, 0.8) : 1,
    phase: random() * STEPS_PER_DAY,
    growthPerDay: kind === "growing" ? between(random, 0.006, 0.02) : 0,
    burstsPerDay: kind === "bursty" ? between(random, 0.5, 4) : 0.05,
    burstFactor: between(random, 1.5, 3),
  };
}

/** A load factor around 1 by time of day and week, growth, and the noise of one pod. */
function loadAt(shape: Shape, kind: WorkloadKind, step: number, random: () => number): number {
  const day = step / STEPS_PER_DAY;
  if (kind === "nightly-batch") {
    const hour = (day % 1) * 24;
    return (hour >= 2 && hour < 5 ? 3 : 0.15) * between(random, 0.9, 1.1);
  }
  const daily = 1 + shape.swing * Math.sin(((step + shape.phase) / STEPS_PER_DAY) * 2 * Math.PI);
  const weekly = Math.floor(day) % 7 >= 5 ? shape.weekend : 1;
  return Math.max(0.02, daily * weekly * (1 + shape.growthPerDay * day) * between(random, 0.85, 1.15));
}

/** Steps at which the whole workload is hit at once, with how hard. */
function burstsOf(shape: Shape, steps: number, random: () => number): ReadonlyMap<number, number> {
  const bursts = new Map<number, number>();
  for (let step = 0; step < steps; step += 1) {
    if (random() >= shape.burstsPerDay / STEPS_PER_DAY) continue;
    const factor = between(random, 1.2, shape.burstFactor);
    for (let long = Math.ceil(random() * 6); long > 0; long -= 1) bursts.set(step + long, factor);
  }
  return bursts;
}

function simulateWorkload(
  kind: WorkloadKind,
  name: string,
  days: number,
  random: () => number,
): SimulatedWorkload {
  const shape = shapeOf(kind, random);
  const steps = days * STEPS_PER_DAY;
  const bursts = burstsOf(shape, steps, random);
  const pods = 2 + Math.floor(random() * 6);
  const cpuCores: Float64Array[] = [];
  const memoryBytes: Float64Array[] = [];
  for (let pod = 0; pod < pods; pod += 1) {
    const skew = between(random, 0.9, 1.15);
    const cpu = new Float64Array(steps);
    const memory = new Float64Array(steps);
    for (let step = 0; step < steps; step += 1) {
      const load = loadAt(shape, kind, step, random) * (bursts.get(step) ?? 1) * skew;
      cpu[step] = shape.baseCpu * load;
      // Half of memory is there without load; the rest follows it, less than in proportion.
      memory[step] = shape.baseMemory * (0.5 + 0.5 * Math.sqrt(load));
    }
    cpuCores.push(cpu);
    memoryBytes.push(memory);
  }
  // What people ask for: mostly far too much; else what they saw in the first days, and a little more or less.
  const isGenerous = random() < 0.85;
  const seen = (of: readonly Float64Array[]): number =>
    of.reduce(
      (most, steps) => steps.slice(0, 3 * STEPS_PER_DAY).reduce((high, value) => Math.max(high, value), most),
      0,
    );
  const factor = isGenerous ? between(random, 1.2, 3) : between(random, 0.95, 1.1);
  return {
    name,
    kind,
    requested: { cpuCores: seen(cpuCores) * factor, memoryBytes: seen(memoryBytes) * factor },
    cpuCores,
    memoryBytes,
    leakBytesPerStep:
      kind === "leaking" ? (shape.baseMemory * between(random, 0.05, 0.3)) / STEPS_PER_DAY : 0,
  };
}

/** A cluster of workloads of every kind. The same seed gives the same cluster. */
export function simulateCluster(seed: number, days: number): readonly SimulatedWorkload[] {
  const random = seededRandom(seed);
  return WORKLOAD_KINDS.flatMap((kind) =>
    Array.from({ length: 2 + Math.floor(random() * 2) }, (_, index) =>
      simulateWorkload(kind, `${kind}-${index}`, days, random),
    ),
  );
}
