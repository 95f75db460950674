import * as z from "zod";

const hourOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "a time of day as in 07:30");

/** Days of a week on which hosts run, as cron names them, with how many they are. */
const DAYS = { "MON-FRI": 5, "MON-SAT": 6, "SUN-SAT": 7 } as const;
const WEEKS_PER_MONTH = 730 / (24 * 7);

/** When hosts run. Outside of it there are none, and none is paid for. */
export const runningHoursSchema = z
  .strictObject({
    days: z.enum(["MON-FRI", "MON-SAT", "SUN-SAT"]).default("MON-FRI"),
    from: hourOfDay,
    to: hourOfDay,
    timeZone: z
      .string()
      .refine(isTimeZone, "a time zone of the IANA database as in Europe/Berlin")
      .default("Etc/UTC"),
  })
  .refine(({ from, to }) => from < to, { path: ["to"], error: "is not after from, on the same day" });

export type RunningHours = z.output<typeof runningHoursSchema>;

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(":").map(Number);
  return hours * 60 + minutes;
}

/** Hours a month of running hours, in an average month of 730. */
function hoursOf({ days, from, to }: RunningHours): number {
  return Math.round(((minutesOf(to) - minutesOf(from)) / 60) * DAYS[days] * WEEKS_PER_MONTH);
}

/** When an environment is there, and how many hours a month that is. */
export const scheduleSchema = z
  .strictObject({
    running: runningHoursSchema.optional(),
    hoursPerMonth: z
      .number()
      .min(1)
      .max(744)
      .optional()
      .describe("For the estimate; follows from running where that is set, else 730"),
  })
  .superRefine((schedule, context) => {
    if (schedule.running === undefined || schedule.hoursPerMonth === undefined) return;
    context.addIssue({
      code: "custom",
      path: ["hoursPerMonth"],
      message: `follows from running (${hoursOf(schedule.running)}): leave it out`,
    });
  })
  .transform(({ running, hoursPerMonth }) => ({
    ...(running === undefined ? {} : { running }),
    hoursPerMonth: hoursPerMonth ?? (running === undefined ? 730 : hoursOf(running)),
  }));
