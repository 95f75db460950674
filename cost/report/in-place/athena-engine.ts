import {
  AthenaClient,
  AthenaServiceException,
  GetQueryExecutionCommand,
  type GetQueryResultsCommandOutput,
  paginateGetQueryResults,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from "@aws-sdk/client-athena";
import { InputError, messageOf } from "../../../host-tuning/errors.ts";
import { progressLine } from "../../../host-tuning/verbs/watcher.ts";
import type { Row } from "../bill-database.ts";
import { progressText, type QueryEngine, QueryError, QUERY_LIMIT_MILLIS, wait } from "./query-engine.ts";
import type { AthenaAddress } from "./table-address.ts";

const CONNECT_LIMIT_MILLIS = 10_000;
const SILENCE_LIMIT_MILLIS = 60_000;

/** How soon a query is looked at again: small ones end within a second, and each look counts against a quota. */
const FIRST_LOOK_MILLIS = 200;
const LAST_LOOK_MILLIS = 2000;

const REASONS: Readonly<Record<string, string>> = {
  AccessDeniedException:
    "access is denied: it takes athena:StartQueryExecution, GetQueryExecution, GetQueryResults and StopQueryExecution on the workgroup",
  CredentialsProviderError:
    "no AWS credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
};

/** @throws what is a defect of ours */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error) || error instanceof TypeError) throw error;
  if (error.message === "Region is missing") return "no AWS region is set: set AWS_REGION";
  const advice = REASONS[error.name];
  const said = `${error.name}: ${error.message}`;
  if (advice !== undefined) return error instanceof AthenaServiceException ? `${advice} (${said})` : advice;
  return `Cannot ask it: ${said}`;
}

/** What a query that Athena did not finish says, with what can be done about it. */
function failureOf(state: string, said: string, workGroup: string): string {
  if (/bytes scanned limit/i.test(said)) {
    return (
      `was stopped: it reads more than workgroup ${workGroup} lets a query read. Raise the workgroup's ` +
      `BytesScannedCutoffPerQuery, or give a table that has less (${said})`
    );
  }
  if (state === "CANCELLED") return `was cancelled: ${said === "" ? "nobody said why" : said}`;
  return said === "" ? "failed, and Athena does not say why" : said;
}

/** Athena's rows have text alone, and none for what has no value; the first row of a query's first page is the header. */
function rowsOf(page: GetQueryResultsCommandOutput, isFirst: boolean): Row[] {
  const names = (page.ResultSet?.ResultSetMetadata?.ColumnInfo ?? []).map(({ Name }) => Name ?? "");
  const rows = page.ResultSet?.Rows ?? [];
  return rows
    .slice(isFirst ? 1 : 0)
    .map(({ Data = [] }) =>
      Object.fromEntries(names.map((name, index) => [name, Data[index]?.VarCharValue ?? null])),
    );
}

/**
 * A table of Athena. Credentials, region and endpoint are those of the environment, as the AWS command line takes them.
 * What is asked is stopped at Athena when `signal` ends it.
 */
export function openAthena(address: AthenaAddress, signal: AbortSignal): QueryEngine {
  const { workGroup, catalog, database, table, output } = address;
  const source = `athena://${workGroup}/${database}/${table}`;
  const client = new AthenaClient({
    requestHandler: { connectionTimeout: CONNECT_LIMIT_MILLIS, socketTimeout: SILENCE_LIMIT_MILLIS },
  });
  const refuse = (cause: unknown): never => {
    signal.throwIfAborted();
    throw new InputError(source, [{ path: "", message: reasonOf(cause) }], { cause });
  };

  /** Not ended by the signal: what was started without an answer could not be stopped. */
  const start = async (sql: string): Promise<string> => {
    const command = new StartQueryExecutionCommand({
      QueryString: sql,
      WorkGroup: workGroup,
      QueryExecutionContext: { Catalog: catalog, Database: database },
      ...(output === undefined ? {} : { ResultConfiguration: { OutputLocation: output } }),
    });
    const { QueryExecutionId: id } = await client.send(command).catch(refuse);
    if (id === undefined) throw new QueryError(source, "NO_ID", "gives a query no id: is this Athena?");
    return id;
  };

  const finish = async (id: string, until: AbortSignal): Promise<void> => {
    const say = progressLine();
    for (let pause = FIRST_LOOK_MILLIS; ; pause = Math.min(pause * 1.5, LAST_LOOK_MILLIS)) {
      const looked = await client
        .send(new GetQueryExecutionCommand({ QueryExecutionId: id }), { abortSignal: until })
        .catch(refuse);
      const { State: state = "", StateChangeReason: said = "" } = looked.QueryExecution?.Status ?? {};
      if (state === "SUCCEEDED") return;
      if (state !== "QUEUED" && state !== "RUNNING") {
        const reason = /^(?:\w+: )?([A-Z_]+): /.exec(said)?.[1] ?? state;
        throw new QueryError(source, reason, `query ${id}: ${failureOf(state, said, workGroup)}`);
      }
      const { DataScannedInBytes: bytes } = looked.QueryExecution?.Statistics ?? {};
      say(progressText(source, { id, state, bytes }));
      await wait(pause, until);
    }
  };

  const stop = async (id: string): Promise<void> => {
    await client.send(new StopQueryExecutionCommand({ QueryExecutionId: id })).catch((error: unknown) => {
      process.stderr.write(`bedplate: Cannot stop query ${id} of ${source}: ${messageOf(error)}\n`);
    });
  };

  return {
    source,
    rows: async (sql) => {
      const limit = AbortSignal.timeout(QUERY_LIMIT_MILLIS);
      const until = AbortSignal.any([signal, limit]);
      const id = await start(sql);
      try {
        await finish(id, until);
        const rows: Row[] = [];
        let isFirst = true;
        for await (const page of paginateGetQueryResults(
          { client },
          { QueryExecutionId: id },
          { abortSignal: until },
        )) {
          rows.push(...rowsOf(page, isFirst));
          isFirst = false;
        }
        return rows;
      } catch (cause) {
        if (cause instanceof QueryError) throw cause;
        await stop(id);
        signal.throwIfAborted();
        if (!limit.aborted) throw cause instanceof InputError ? cause : refuse(cause);
        const message = `query ${id} was stopped after ${QUERY_LIMIT_MILLIS / 60_000} minutes`;
        throw new QueryError(source, "LIMIT", message, { cause });
      }
    },
    close: async () => client.destroy(),
  };
}
