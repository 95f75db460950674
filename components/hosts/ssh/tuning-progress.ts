import * as z from "zod";

/** Tells people what is being done. */
export type Say = (message: string) => void;

const SAY_EVERY_MILLIS = 1000;

/** The agent logs every setting: nobody can read two hundred lines of progress in a second. */
export function nowAndThen(say: (line: string) => void): (line: string) => void {
  let nextMillis = 0;
  return (line) => {
    if (performance.now() < nextMillis) return;
    nextMillis = performance.now() + SAY_EVERY_MILLIS;
    say(line);
  };
}

const eventSchema = z.object({ knob: z.string() });

/** The knob that a line of the agent's log is about. */
export function knobOfEvent(line: string): string | undefined {
  if (!line.startsWith("{")) return undefined;
  try {
    return eventSchema.safeParse(JSON.parse(line)).data?.knob;
  } catch {
    // A line of another program, or one that was cut: progress only.
    return undefined;
  }
}
