import * as z from "zod";
import type { Spread } from "./spread.ts";

/** What a program of its own took, as `environments/measure-process.ts` writes it. */
export const measurementSchema = z.strictObject({
  wallMillis: z.number(),
  cpuMillis: z.number(),
  peakMemoryKiB: z.number(),
});
export type Measurement = z.output<typeof measurementSchema>;

const spreadSchema: z.ZodType<Spread> = z.strictObject({
  median: z.number(),
  min: z.number(),
  max: z.number(),
});

/** The same over a few rounds. */
export const measuredSchema = z.strictObject({
  wallMillis: spreadSchema,
  cpuMillis: spreadSchema,
  peakMemoryKiB: spreadSchema,
});
export type Measured = z.output<typeof measuredSchema>;

/** What people call it. */
export const SHOWN = { wallMillis: "wall", cpuMillis: "CPU", peakMemoryKiB: "memory" } as const;
export const KEYS = Object.keys(SHOWN) as (keyof Measurement)[];

/** @param spread gives what is known of one kind of measurement */
export function measuredOf(spread: (key: keyof Measurement) => Spread): Measured {
  return {
    wallMillis: spread("wallMillis"),
    cpuMillis: spread("cpuMillis"),
    peakMemoryKiB: spread("peakMemoryKiB"),
  };
}

/** The median for people, with its unit. */
export function medianText(key: keyof Measurement, { median }: Spread): string {
  return key === "peakMemoryKiB" ? `${Math.round(median / 1024)} MiB` : `${(median / 1000).toFixed(1)} s`;
}
