import type { BillQueries, Row } from "../bill-database.ts";
import { InputError } from "../../../host-tuning/errors.ts";

/** A system that reads a bill's table where it is; only what a query adds up comes here. */
export interface QueryEngine extends BillQueries {
  /** The table's address as people may read it, without credentials. */
  readonly source: string;
  /**
   * @throws {QueryError} when the engine refuses or stops the query
   * @throws {InputError} when it cannot be asked
   */
  rows(sql: string): Promise<readonly Row[]>;
  close(): Promise<void>;
}

/** A query that the engine refused, failed or stopped. */
export class QueryError extends InputError {
  /** The engine's own word for it, as in COLUMN_NOT_FOUND. */
  readonly reason: string;

  constructor(source: string, reason: string, message: string, options?: ErrorOptions) {
    super(source, [{ path: "", message }], options);
    this.reason = reason;
  }
}

/** As long as Athena itself lets a query run: https://docs.aws.amazon.com/athena/latest/ug/service-limits.html */
export const QUERY_LIMIT_MILLIS = 30 * 60 * 1000;

/** How far an engine says that a query is; undefined is what it does not say. */
export interface QueryProgress {
  readonly id: string;
  /** The engine's own word, as in QUEUED or RUNNING. */
  readonly state: string;
  /** 0 to 100 */
  readonly percent?: number | undefined;
  readonly rows?: number | undefined;
  readonly bytes?: number | undefined;
}

/** A query's progress in words: `trino://h/c/s/t: query 1 RUNNING, 40 %, 1200000 rows, 12.5 MB read`. */
export function progressText(source: string, { id, state, percent, rows, bytes }: QueryProgress): string {
  const said = [
    `${source}: query ${id} ${state}`,
    ...(percent === undefined ? [] : [`${Math.floor(percent)} %`]),
    ...(rows === undefined ? [] : [`${rows} rows`]),
    ...(bytes === undefined ? [] : [`${(bytes / 1e6).toFixed(1)} MB read`]),
  ];
  return said.join(", ");
}

/** Waits, and not any longer once `signal` is aborted. */
export async function wait(millis: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      reject(signal.reason as Error);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", end);
      resolve();
    }, millis);
    signal.addEventListener("abort", end, { once: true });
  });
}

/** What a signal of the operating system stopped. */
class Interrupted extends Error {
  override readonly name = "Interrupted";
  readonly signal: NodeJS.Signals;

  constructor(signal: NodeJS.Signals) {
    super(`stopped by ${signal}`);
    this.signal = signal;
  }
}

const STOPPED_BY: readonly NodeJS.Signals[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/**
 * Runs `work` so that a signal ends it through its AbortSignal and not in its middle: a query goes on in its engine, and
 * on somebody's account, until it is cancelled there. After that the signal takes its usual course.
 */
export async function untilInterrupted<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = (signal: NodeJS.Signals): void => controller.abort(new Interrupted(signal));
  for (const signal of STOPPED_BY) process.once(signal, stop);
  try {
    return await work(controller.signal);
  } finally {
    for (const signal of STOPPED_BY) process.off(signal, stop);
    const { reason } = controller.signal;
    if (reason instanceof Interrupted) process.kill(process.pid, reason.signal);
  }
}
