import * as z from "zod";
import { HOST_PATHS } from "../boot/paths.ts";
import { driftReportSchema } from "../report/drift-report.ts";
import type { LiveHost } from "../sys/live-host.ts";

/** What the last look at the host found, and how often each setting was put back; written whole and durably. */
export const DRIFT_STATE_PATH = `${HOST_PATHS.stateFolder}/drift.json`;

/** How often a setting is put back before we take it that somebody means it. Our choice. */
export const MAX_HEALS = 3;
export const HEAL_WINDOW_MILLIS = 3_600_000;

const yieldedSchema = z.object({ at: z.iso.datetime(), to: z.string() });

const driftStateSchema = z.object({
  version: z.literal(1),
  /** When each setting was put back, oldest first, of the last hour. */
  heals: z.record(z.string(), z.array(z.iso.datetime())),
  /** Settings that are not put back any more, until somebody runs apply. */
  yielded: z.record(z.string(), yieldedSchema),
  last: driftReportSchema,
});

export type DriftState = z.output<typeof driftStateSchema>;
export type Yielded = z.output<typeof yieldedSchema>;

/** What an earlier run left; `undefined` when there was none or it cannot be understood: it is history, no source. */
export async function readDriftState(host: LiveHost): Promise<DriftState | undefined> {
  const text = await host.readText(DRIFT_STATE_PATH);
  if (text === undefined) return undefined;
  try {
    return driftStateSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

export async function saveDriftState(host: LiveHost, state: DriftState): Promise<void> {
  await host.writeConfigFile(DRIFT_STATE_PATH, `${JSON.stringify(state, null, 2)}\n`);
}

/** Heals of the last hour. */
export function recentHeals(times: readonly string[], now: Date): string[] {
  return times.filter((at) => now.getTime() - Date.parse(at) < HEAL_WINDOW_MILLIS);
}
