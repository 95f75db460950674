import type { UsagePoint, UsageSeries, UsageWindow } from "../../cost/right-size/container-usage.ts";
import type { UsageMetric } from "../../cost/right-size/usage-metrics.ts";
import { type SimulatedWorkload, STEP_SECONDS, STEPS_PER_DAY } from "./demand.ts";

/** 2026-06-01T00:00:00Z, a Monday: days 5 and 6 of the simulation are a weekend. */
const START_SECONDS = 1_780_272_000;

/** What each pod gets. Requests equal limits, as the environment has them. */
export interface Requests {
  readonly cpuCores: number;
  readonly memoryBytes: number;
}

/** What became of a workload under requests, and what monitoring saw of it. */
export interface RunOutcome {
  readonly oomKills: number;
  /** Steps in which a pod wanted more CPU than it got. */
  readonly throttledPodSteps: number;
  readonly podSteps: number;
  readonly series: readonly UsageSeries[];
}

export function windowOf(firstStep: number, lastStep: number): UsageWindow {
  return {
    firstSeconds: START_SECONDS + firstStep * STEP_SECONDS,
    lastSeconds: START_SECONDS + lastStep * STEP_SECONDS,
    stepSeconds: STEP_SECONDS,
  };
}

/** Leaking services are restarted by their people now and then. */
export const RESTART_DAYS = 3;

/**
 * Lives through the steps of `[first, end)` under given requests: use above the CPU limit is cut off and counted as
 * throttled; memory above its limit ends the pod, which starts again without what it had leaked.
 */
export function runRequests(
  workload: SimulatedWorkload,
  requests: Requests,
  first: number,
  end: number,
): RunOutcome {
  let oomKills = 0;
  let throttledPodSteps = 0;
  const series: UsageSeries[] = [];
  for (const [pod, wanted] of workload.cpuCores.entries()) {
    let life = 0;
    let lifeStart = first - ((pod * STEPS_PER_DAY) % (RESTART_DAYS * STEPS_PER_DAY));
    let seen = newLife();
    const flush = (): void => {
      series.push(...seriesOf(workload.name, `${workload.name}-${pod}-${life}`, requests, seen));
      life += 1;
      seen = newLife();
    };
    for (let step = first; step < end; step += 1) {
      const atSeconds = START_SECONDS + step * STEP_SECONDS;
      const cpu = wanted[step] ?? 0;
      const memory =
        (workload.memoryBytes[pod]?.[step] ?? 0) + (step - lifeStart) * workload.leakBytesPerStep;
      const isThrottled = cpu > requests.cpuCores;
      throttledPodSteps += Number(isThrottled);
      seen.cpu.push({ atSeconds, value: Math.min(cpu, requests.cpuCores) });
      seen.throttled.push({ atSeconds, value: isThrottled ? 1 - requests.cpuCores / cpu : 0 });
      seen.memory.push({ atSeconds, value: Math.min(memory, requests.memoryBytes) });
      const isKilled = memory > requests.memoryBytes;
      if (isKilled) {
        oomKills += 1;
        seen.kills.push({ atSeconds, value: 1 });
      }
      const isRestarted = workload.leakBytesPerStep > 0 && step - lifeStart >= RESTART_DAYS * STEPS_PER_DAY;
      if (isRestarted || (isKilled && workload.leakBytesPerStep > 0)) {
        lifeStart = step;
        flush();
      }
    }
    flush();
  }
  return { oomKills, throttledPodSteps, podSteps: (end - first) * workload.cpuCores.length, series };
}

interface Life {
  readonly cpu: UsagePoint[];
  readonly throttled: UsagePoint[];
  readonly memory: UsagePoint[];
  readonly kills: UsagePoint[];
}

function newLife(): Life {
  return { cpu: [], throttled: [], memory: [], kills: [] };
}

function seriesOf(owner: string, pod: string, requests: Requests, life: Life): readonly UsageSeries[] {
  const labels = {
    namespace: "simulated",
    ownerKind: "Deployment",
    owner,
    pod,
    container: "main",
    device: "",
    gpuModel: "",
  };
  const last = life.memory.at(-1);
  const constant = (value: number): readonly UsagePoint[] => {
    const [start] = life.memory;
    return start === undefined || last === undefined
      ? []
      : [
          { atSeconds: start.atSeconds, value },
          { atSeconds: last.atSeconds, value },
        ];
  };
  const all: readonly (readonly [UsageMetric, readonly UsagePoint[]])[] = [
    ["cpu_cores", life.cpu],
    ["cpu_throttled_share", life.throttled],
    ["memory_bytes", life.memory],
    ["oom_kills", life.kills],
    ["cpu_request_cores", constant(requests.cpuCores)],
    ["memory_request_bytes", constant(requests.memoryBytes)],
    ["memory_limit_bytes", constant(requests.memoryBytes)],
  ];
  return all.flatMap(([metric, points]) => (points.length === 0 ? [] : [{ ...labels, metric, points }]));
}
