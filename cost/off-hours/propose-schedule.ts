import { environmentSchema } from "../../components/environment/environment-spec.ts";
import type { RunningHours } from "../../components/environment/schedule.ts";
import type { HourOfCalls } from "./read-hourly-calls.ts";

/** The same hour of a week has to be quiet this often before it is called so. Our choice. */
const LEAST_WEEKS = 2;
/** From here on a proposal is called sure: a month has its own rhythm. Our choice. */
const SURE_WEEKS = 4;
const HOURS_PER_DAY = 24;

/** Days that a schedule can have, the fewest first, with their last day; Monday is 0. */
const DAY_SETS = [
  { days: "MON-FRI", last: 4 },
  { days: "MON-SAT", last: 5 },
  { days: "SUN-SAT", last: 6 },
] as const;

const WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** An hour of a week on the clock of a time zone. */
interface Slot {
  readonly weekday: number;
  readonly hour: number;
}

function slotReader(timeZone: string): (seconds: number) => Slot {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    weekday: "short",
    hour: "2-digit",
    hourCycle: "h23",
  });
  return (seconds) => {
    const parts = format.formatToParts(new Date(seconds * 1000));
    const partOf = (type: Intl.DateTimeFormatPartTypes): string =>
      parts.find((part) => part.type === type)?.value ?? "";
    return { weekday: WEEKDAYS.indexOf(partOf("weekday")), hour: Number(partOf("hour")) };
  };
}

function keyOf({ weekday, hour }: Slot): number {
  return weekday * HOURS_PER_DAY + hour;
}

function hourText(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

function isWithin({ weekday, hour }: Slot, { days, from, to }: RunningHours): boolean {
  const last = DAY_SETS.find((set) => set.days === days)?.last ?? 6;
  return weekday <= last && hourText(hour + 1) > from && hourText(hour) < to;
}

/** Hours a month that an environment runs by a schedule; the contract's own word. */
function hoursPerMonthOf(running: RunningHours): number {
  return environmentSchema.shape.schedule.parse({ running }).hoursPerMonth;
}

export interface ProposalArgs {
  readonly hours: readonly HourOfCalls[];
  readonly timeZone: string;
  readonly now: { readonly running: RunningHours | undefined; readonly hoursPerMonth: number };
}

export interface Proposal {
  readonly proposal: { readonly running: RunningHours; readonly hoursPerMonth: number } | null;
  readonly because: string;
  readonly confidence: "none" | "low" | "high";
}

function none(because: string): Proposal {
  return { proposal: null, because, confidence: "none" };
}

/** Hours of a week with calls, and those of which too little is known. */
interface Week {
  readonly busy: ReadonlyMap<number, Slot>;
  readonly unknown: readonly Slot[];
  readonly weeksSeen: number;
}

function weekOf({ hours, timeZone, now: { running } }: ProposalArgs): Week {
  const slotAt = slotReader(timeZone);
  const seen = new Map<number, number>();
  const busy = new Map<number, Slot>();
  for (const { startSeconds, isCalled } of hours) {
    // In a zone that is half an hour off, an hour lies in two of the clock.
    const slots = [startSeconds, startSeconds + 3599].map(slotAt);
    for (const slot of slots) {
      if (isCalled === true) busy.set(keyOf(slot), slot);
    }
    const [first] = slots;
    if (isCalled !== undefined && first !== undefined)
      seen.set(keyOf(first), (seen.get(keyOf(first)) ?? 0) + 1);
  }
  const nowIn = running === undefined ? undefined : { ...running };
  const week = WEEKDAYS.flatMap((_, weekday) =>
    Array.from({ length: HOURS_PER_DAY }, (_hour, hour): Slot => ({ weekday, hour })),
  );
  // Hosts that a schedule stops are not scraped: those hours are off already. Its clock has to be the same.
  const isOff = (slot: Slot): boolean =>
    nowIn !== undefined && nowIn.timeZone === timeZone && !isWithin(slot, nowIn);
  const judged = week.filter((slot) => !busy.has(keyOf(slot)) && !isOff(slot));
  const timesSeen = judged.map((slot) => seen.get(keyOf(slot)) ?? 0);
  return {
    busy,
    unknown: judged.filter((_, index) => (timesSeen[index] ?? 0) < LEAST_WEEKS),
    weeksSeen: Math.min(...timesSeen.filter((count) => count >= LEAST_WEEKS), Number.MAX_SAFE_INTEGER),
  };
}

/**
 * The shortest schedule that every call that was seen lies in, with an hour for hosts to start before the first. An hour
 * of the week of which less than two weeks are known counts as called.
 *
 * @example calls from 9 to 17 on Monday to Friday: MON-FRI, 08:00 to 17:00
 */
export function proposeSchedule(args: ProposalArgs): Proposal {
  const { busy, unknown, weeksSeen } = weekOf(args);
  if (busy.size === 0) return none("no call was seen at all: cost idle says what the environment costs");
  const needed = [...busy.values(), ...unknown];
  const lastDay = Math.max(...needed.map(({ weekday }) => weekday));
  const first = Math.min(...needed.map(({ hour }) => hour));
  const last = Math.max(...needed.map(({ hour }) => hour));
  const set = DAY_SETS.find((candidate) => candidate.last >= lastDay) ?? DAY_SETS[2];
  const why =
    unknown.length === 0
      ? ""
      : `; of ${unknown.length} hours of the week less than ${LEAST_WEEKS} weeks are known, which count as called`;
  if (last === HOURS_PER_DAY - 1) {
    return none(`there are calls up to midnight, and a schedule ends before it${why}`);
  }
  const running: RunningHours = {
    days: set.days,
    from: hourText(Math.max(0, first - 1)),
    to: hourText(last + 1),
    timeZone: args.timeZone,
  };
  const hoursPerMonth = hoursPerMonthOf(running);
  if (hoursPerMonth >= args.now.hoursPerMonth) {
    return none(
      `calls come from ${running.from} to ${running.to}, ${running.days}: no schedule is shorter${why}`,
    );
  }
  return {
    proposal: { running, hoursPerMonth },
    because: `no call was seen outside of it${why}`,
    confidence: weeksSeen >= SURE_WEEKS ? "high" : "low",
  };
}
