import { isLoopback } from "../loopback.ts";
import { readFile } from "node:fs/promises";
import * as z from "zod";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";

/** A query that takes longer is one that Prometheus' own default (`--query.timeout=2m`) ends too. */
const TIMEOUT_MILLIS = 125_000;

const rangeAnswerSchema = z.discriminatedUnion("status", [
  z.object({
    status: z.literal("success"),
    warnings: z.array(z.string()).optional(),
    data: z.object({
      resultType: z.literal("matrix"),
      result: z.array(
        z.object({
          metric: z.record(z.string(), z.string()),
          values: z.array(z.tuple([z.number(), z.string()])),
        }),
      ),
    }),
  }),
  z.object({ status: z.literal("error"), errorType: z.string(), error: z.string() }),
]);

export interface RangeSeries {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: readonly (readonly [atSeconds: number, text: string])[];
}

export interface RangeAnswer {
  readonly series: readonly RangeSeries[];
  readonly warnings: readonly string[];
}

export interface RangeQuery {
  readonly promql: string;
  readonly firstSeconds: number;
  readonly lastSeconds: number;
  readonly stepSeconds: number;
}

export interface PrometheusApi {
  /** The address, without what it may hold of credentials. */
  readonly source: string;
  queryRange(query: RangeQuery): Promise<RangeAnswer>;
}

async function readToken(file: string, url: URL): Promise<string> {
  if (url.protocol !== "https:" && !isLoopback(url.hostname)) {
    const message = "a token is sent over https alone, or to this machine";
    throw new InputError("command line", [{ path: "--usage-token-file", message }]);
  }
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    const message = `Cannot read ${file}: ${errnoText(cause)}`;
    throw new InputError("command line", [{ path: "--usage-token-file", message }], { cause });
  });
  const token = text.trim();
  if (/^[\x21-\x7e]{1,8192}$/.test(token)) return token;
  throw new InputError("command line", [{ path: "--usage-token-file", message: "the file holds no token" }]);
}

function refuse(source: string, message: string, cause?: unknown): InputError {
  return new InputError(source, [{ path: "", message }], cause === undefined ? undefined : { cause });
}

/** What `fetch` says hides its reason one level down. */
function reasonOf(cause: unknown): string {
  if (cause instanceof DOMException && cause.name === "TimeoutError") {
    return `no answer within ${TIMEOUT_MILLIS / 1000} s`;
  }
  return cause instanceof Error && cause.cause !== undefined ? messageOf(cause.cause) : messageOf(cause);
}

/**
 * The HTTP API of a Prometheus, or of what speaks like one (Thanos, Mimir, Amazon Managed Prometheus behind a proxy).
 *
 * @throws {InputError} when the address is none or the token cannot be had
 */
export async function openPrometheus(address: string, tokenFile: string | undefined): Promise<PrometheusApi> {
  const base = URL.parse(address);
  if (base === null || !["http:", "https:"].includes(base.protocol)) {
    throw new InputError("command line", [{ path: "--usage", message: `"${address}" is no http address` }]);
  }
  if (base.username !== "" || base.password !== "") {
    const message = "credentials in an address end up in logs: give --usage-token-file";
    throw new InputError("command line", [{ path: "--usage", message }]);
  }
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile, base);
  const source = base.origin + base.pathname.replace(/\/$/, "");
  const endpoint = `${source}/api/v1/query_range`;
  return {
    source,
    queryRange: async ({ promql, firstSeconds, lastSeconds, stepSeconds }) => {
      const response = await fetch(endpoint, {
        method: "POST",
        body: new URLSearchParams({
          query: promql,
          start: String(firstSeconds),
          end: String(lastSeconds),
          step: String(stepSeconds),
        }),
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        // A redirect would carry the token elsewhere.
        redirect: "error",
        signal: AbortSignal.timeout(TIMEOUT_MILLIS),
      }).catch((cause: unknown) => {
        throw refuse(source, `Cannot ask it: ${reasonOf(cause)}`, cause);
      });
      const text = await response.text().catch((cause: unknown) => {
        throw refuse(source, `its answer broke off: ${reasonOf(cause)}`, cause);
      });
      let body: unknown;
      try {
        body = JSON.parse(text);
      } catch (cause) {
        throw refuse(source, `answers ${response.status} with no JSON: is it a Prometheus?`, cause);
      }
      const answer = parseContract(rangeAnswerSchema, body, source);
      if (answer.status === "error") {
        throw refuse(source, `answers ${answer.errorType}: ${answer.error}, to ${promql}`);
      }
      return {
        series: answer.data.result.map(({ metric, values }) => ({ labels: metric, values })),
        warnings: answer.warnings ?? [],
      };
    },
  };
}
