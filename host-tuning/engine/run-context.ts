import { randomUUID } from "node:crypto";
import type { NetworkRepair } from "../report/host-report.ts";
import type { Host } from "../sys/host.ts";

/** What the engine says as it goes: one event per knob, for the journal of the host and for people who wait. */
export interface TuningEvent {
  readonly level: "info" | "warning" | "error";
  readonly event: string;
  readonly knob?: string;
  readonly target?: string;
  readonly before?: string | null;
  readonly after?: string | null;
  readonly because?: string;
  readonly durationMillis?: number;
}

export interface Observer {
  readonly onEvent?: (event: TuningEvent) => void;
  /** How far a run is: done of total, and what it is at. */
  readonly onProgress?: (done: number, total: number, what: string) => void;
}

export interface PhaseDuration {
  readonly name: string;
  readonly durationMillis: number;
}

/** One run of a verb: when it began, in which boot, and how long each part took. */
export interface RunContext {
  readonly id: string;
  readonly bootId: string | null;
  readonly startedAt: string;
  readonly phases: PhaseDuration[];
  /** Interfaces whose addresses had to be asked for, for the report. */
  readonly network: NetworkRepair[];
  /** Runs `work` and keeps how long it took under `name`. */
  timed<T>(name: string, work: () => Promise<T>): Promise<T>;
  /** Milliseconds since the run began. */
  elapsedMillis(): number;
}

export const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

export async function startRun(host: Host, earlier: readonly PhaseDuration[] = []): Promise<RunContext> {
  const startedAt = new Date();
  const startMillis = performance.now();
  const phases: PhaseDuration[] = [...earlier];
  const beforeMillis = earlier.reduce((sum, phase) => sum + phase.durationMillis, 0);
  return {
    id: randomUUID(),
    bootId: (await host.readText(BOOT_ID_PATH))?.trim() ?? null,
    startedAt: startedAt.toISOString(),
    phases,
    network: [],
    async timed(name, work) {
      const fromMillis = performance.now();
      try {
        return await work();
      } finally {
        phases.push({ name, durationMillis: roundMillis(performance.now() - fromMillis) });
      }
    },
    elapsedMillis: () => roundMillis(beforeMillis + performance.now() - startMillis),
  };
}

export function roundMillis(millis: number): number {
  return Math.round(millis * 100) / 100;
}
