import type { Observer, TuningEvent } from "../engine/run-context.ts";
import type { CommonOptions } from "./verb-frame.ts";

/** Nobody wants to read about work that is over before they have read it. */
const QUIET_MILLIS = 2000;

/**
 * Tells people on stderr how far long work is, and the host's journal one JSON line per event: with --log-json, or
 * when systemd has connected stderr to its journal.
 */
export function watcher(options: CommonOptions): Observer {
  const isLogging = options.logJson === true || process.env["JOURNAL_STREAM"] !== undefined;
  return isLogging ? { onEvent: logEvent } : { onProgress: progress() };
}

function logEvent(event: TuningEvent): void {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), ...event })}\n`);
}

function progress(): (done: number, total: number, what: string) => void {
  const say = progressLine();
  return (done, total, what) => say(`${done} of ${total} done, at ${what}`);
}

/** Says on stderr how far it is what began with this call: nothing for 2 s, then a line every 2 s. */
export function progressLine(): (text: string) => void {
  let nextMillis = performance.now() + QUIET_MILLIS;
  return (text) => {
    if (performance.now() < nextMillis) return;
    nextMillis = performance.now() + QUIET_MILLIS;
    process.stderr.write(`bedplate: ${text}\n`);
  };
}
