import { readFile } from "node:fs/promises";
import * as z from "zod";
import { InputError, messageOf } from "../../../host-tuning/errors.ts";
import { errnoText } from "../../../host-tuning/sys/errno.ts";
import { progressLine } from "../../../host-tuning/verbs/watcher.ts";
import type { Row } from "../bill-database.ts";
import {
  progressText,
  type QueryEngine,
  QueryError,
  QUERY_LIMIT_MILLIS,
  type QueryProgress,
  wait,
} from "./query-engine.ts";
import { isLoopback } from "../../loopback.ts";
import type { TrinoAddress } from "./table-address.ts";

/** Trino answers within seconds, with or without rows; a proxy in between may take its time. */
const ANSWER_LIMIT_MILLIS = 60_000;

/** How long a server that says to come again is asked again, and how soon: the protocol says 50 to 100 ms. */
const BUSY_LIMIT_MILLIS = 30_000;
const AGAIN_MILLIS = 100;
const CANCEL_LIMIT_MILLIS = 5000;

const BUSY = new Set([429, 502, 503, 504]);

/** What a query did so far; a server or a proxy may leave out any of it. */
const statsSchema = z.object({
  state: z.string().optional(),
  progressPercentage: z.number().optional(),
  processedRows: z.number().optional(),
  physicalInputBytes: z.number().optional(),
});

const pageSchema = z.object({
  id: z.string(),
  nextUri: z.string().optional(),
  columns: z.array(z.object({ name: z.string() })).optional(),
  data: z.array(z.array(z.unknown())).optional(),
  error: z.object({ message: z.string(), errorName: z.string() }).optional(),
  stats: statsSchema.optional(),
});

type Page = z.output<typeof pageSchema>;

function progressOf({ id, stats = {} }: Page): QueryProgress {
  const {
    state = "RUNNING",
    progressPercentage: percent,
    processedRows: rows,
    physicalInputBytes: bytes,
  } = stats;
  return { id, state, percent, rows, bytes };
}

/** What Trino's words for a fault mean to who asked for a report. */
const ADVICE: Readonly<Record<string, string>> = {
  CATALOG_NOT_FOUND: "show catalogs lists those that there are",
  SCHEMA_NOT_FOUND: "show schemas lists those that there are",
  PERMISSION_DENIED: "the user needs select on the table",
  EXCEEDED_SCAN_LIMIT: "the cluster's limit on what a query may read (query.max-scan-physical-bytes)",
  EXCEEDED_TIME_LIMIT: "the cluster's limit on how long a query may run",
};

async function secretOf(name: string): Promise<string | undefined> {
  const text = process.env[name];
  const file = process.env[`${name}_FILE`];
  if (text !== undefined && text !== "") return text;
  if (file === undefined || file === "") return undefined;
  const read = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(
      "environment",
      [{ path: `${name}_FILE`, message: `Cannot read ${file}: ${errnoText(cause)}` }],
      {
        cause,
      },
    );
  });
  const secret = read.replace(/\r?\n$/, "");
  if (secret !== "") return secret;
  throw new InputError("environment", [{ path: `${name}_FILE`, message: `${file} is empty` }]);
}

/** @throws {InputError} when there are two, or one that would go over the wire in the clear */
async function authorizationOf({ origin, user }: TrinoAddress): Promise<string | undefined> {
  const password = await secretOf("TRINO_PASSWORD");
  const token = await secretOf("TRINO_ACCESS_TOKEN");
  if (password === undefined && token === undefined) return undefined;
  const refuse = (message: string): InputError =>
    new InputError("environment", [
      { path: password === undefined ? "TRINO_ACCESS_TOKEN" : "TRINO_PASSWORD", message },
    ]);
  if (password !== undefined && token !== undefined)
    throw refuse("give a password or a token (JWT), not both");
  const { protocol, hostname } = new URL(origin);
  if (protocol !== "https:" && !isLoopback(hostname)) {
    throw refuse("is sent over TLS alone, or to this machine: leave SSL=false out of the address");
  }
  if (token === undefined) return `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
  if (!/^[\x21-\x7e]+$/.test(token)) throw refuse("is no token");
  return `Bearer ${token}`;
}

/** What `fetch` says hides its reason one level down. */
function reasonOf(cause: unknown): string {
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    return `no answer within ${ANSWER_LIMIT_MILLIS / 1000} s`;
  }
  const reason = cause instanceof Error && cause.cause !== undefined ? cause.cause : cause;
  const isPlain = reason instanceof Error && "reason" in reason && reason.reason === "wrong version number";
  return isPlain
    ? "it does not speak TLS: is the port right? (SSL=false asks for plain http)"
    : messageOf(reason);
}

/**
 * A table of Trino by its client protocol, https://trino.io/docs/current/develop/client-protocol.html. What is asked is
 * cancelled at the server when `signal` ends it. A password is read from TRINO_PASSWORD, a JWT from TRINO_ACCESS_TOKEN, or
 * from the files that the same with _FILE name.
 *
 * @throws {InputError} when the credentials cannot be had or would not be safe
 */
export async function openTrino(address: TrinoAddress, signal: AbortSignal): Promise<QueryEngine> {
  const { origin, user, catalog, database, table } = address;
  const authorization = await authorizationOf(address);
  const source = `trino://${new URL(origin).host}/${catalog}/${database}/${table}`;
  const refuse = (message: string, cause?: unknown): InputError =>
    new InputError(source, [{ path: "", message }], cause === undefined ? undefined : { cause });
  const headers = {
    "X-Trino-User": user,
    "X-Trino-Source": "bedplate",
    "X-Trino-Time-Zone": "UTC",
    ...(authorization === undefined ? {} : { authorization }),
  };

  const ask = async (url: string, body: string | undefined, until: AbortSignal): Promise<Page> => {
    const giveUpAt = performance.now() + BUSY_LIMIT_MILLIS;
    while (true) {
      const response = await fetch(url, {
        method: body === undefined ? "GET" : "POST",
        headers,
        // A redirect would carry the credentials elsewhere.
        redirect: "error",
        signal: AbortSignal.any([until, AbortSignal.timeout(ANSWER_LIMIT_MILLIS)]),
        body: body ?? null,
      }).catch((cause: unknown) => {
        until.throwIfAborted();
        throw refuse(`Cannot ask it: ${reasonOf(cause)}`, cause);
      });
      if (BUSY.has(response.status) && performance.now() < giveUpAt) {
        await response.body?.cancel();
        await wait(AGAIN_MILLIS, until);
        continue;
      }
      const text = await response.text().catch((cause: unknown) => {
        until.throwIfAborted();
        throw refuse(`its answer broke off: ${reasonOf(cause)}`, cause);
      });
      if (response.status === 401) {
        const how =
          authorization === undefined
            ? "set TRINO_PASSWORD or TRINO_ACCESS_TOKEN"
            : "it does not know what it was given";
        throw refuse(`asks who ${JSON.stringify(user)} is (401): ${how}`);
      }
      if (response.status === 403) throw refuse(`does not let ${JSON.stringify(user)} ask (403)`);
      if (!response.ok) throw refuse(`answers ${response.status}: ${text.slice(0, 200)}`);
      try {
        return pageSchema.parse(JSON.parse(text));
      } catch (cause) {
        throw refuse(`answers ${response.status} with what is no page of rows: is it a Trino?`, cause);
      }
    }
  };

  /** What goes on at the server until it is told to stop; that it cannot be told changes nothing here. */
  const cancel = async (nextUri: string): Promise<void> => {
    await fetch(nextUri, {
      method: "DELETE",
      headers,
      redirect: "error",
      signal: AbortSignal.timeout(CANCEL_LIMIT_MILLIS),
    }).then(
      (response) => response.body?.cancel(),
      (error: unknown) => {
        process.stderr.write(`bedplate: Cannot cancel a query of ${source}: ${reasonOf(error)}\n`);
      },
    );
  };

  const nextOf = ({ nextUri }: Page): string | undefined => {
    if (nextUri === undefined || URL.parse(nextUri)?.origin === origin) return nextUri;
    throw refuse(
      `goes on at ${URL.parse(nextUri)?.origin ?? "no address"} and not at ${origin}: credentials are not sent there ` +
        "(behind a proxy Trino needs http-server.process-forwarded=true)",
    );
  };

  return {
    source,
    rows: async (sql) => {
      const limit = AbortSignal.timeout(QUERY_LIMIT_MILLIS);
      const until = AbortSignal.any([signal, limit]);
      const rows: Row[] = [];
      const say = progressLine();
      // Not ended by the signal: what was asked without an answer could not be cancelled.
      let page = await ask(`${origin}/v1/statement`, sql, limit);
      let nextUri = nextOf(page);
      try {
        while (true) {
          const { error, columns = [], data = [], id } = page;
          if (error !== undefined) {
            const advice = ADVICE[error.errorName];
            const message = `query ${id}: ${error.errorName}: ${error.message}${advice === undefined ? "" : ` (${advice})`}`;
            throw new QueryError(source, error.errorName, message);
          }
          for (const values of data) {
            rows.push(Object.fromEntries(columns.map(({ name }, index) => [name, values[index]])));
          }
          if (nextUri === undefined) return rows;
          say(progressText(source, progressOf(page)));
          page = await ask(nextUri, undefined, until);
          nextUri = nextOf(page);
        }
      } catch (cause) {
        if (nextUri !== undefined && !(cause instanceof QueryError)) await cancel(nextUri);
        signal.throwIfAborted();
        if (!limit.aborted) throw cause;
        const message = `query ${page.id} was cancelled after ${QUERY_LIMIT_MILLIS / 60_000} minutes`;
        throw new QueryError(source, "LIMIT", message, { cause });
      }
    },
    close: async () => undefined,
  };
}
