import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import * as z from "zod";
import { type Answer, engineWordFor } from "./duckdb-tables.ts";

const askedSchema = z.object({
  QueryString: z.string().optional(),
  WorkGroup: z.string().optional(),
  ResultConfiguration: z.object({ OutputLocation: z.string() }).optional(),
  QueryExecutionContext: z.object({ Catalog: z.string(), Database: z.string() }).optional(),
  QueryExecutionId: z.string().optional(),
  NextToken: z.string().optional(),
});

type Asked = z.output<typeof askedSchema>;

interface Execution {
  readonly answer: Promise<Answer>;
  looks: number;
}

/** Rows of a page: few, so that an answer has many. */
const PAGE_ROWS = 7;

/** One of so many queries waits for its turn. */
const QUEUED_OF = 5;

function textOf(value: unknown): string | null {
  if (value === null) return null;
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** How a query ends in place of its answer. */
export interface Ending {
  readonly State: "FAILED" | "CANCELLED" | "RUNNING";
  readonly StateChangeReason?: string;
}

/**
 * A double of Athena at the wire (its JSON protocol): a query runs for a while, its rows come by the page as text, the
 * first of which is the header. Something else is behind it.
 */
export class AthenaDouble {
  readonly started: Asked[] = [];
  readonly stopped: string[] = [];
  /** What happens to a query; undefined lets it be answered. */
  ending: (sql: string) => Ending | undefined = () => undefined;
  readonly #answer: (sql: string) => Promise<Answer>;
  readonly #server: Server;
  readonly #executions = new Map<string, Execution & { readonly sql: string }>();

  private constructor(answer: (sql: string) => Promise<Answer>) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      void this.#take(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(answer: (sql: string) => Promise<Answer>): Promise<AthenaDouble> {
    const double = new AthenaDouble(answer);
    await new Promise<void>((resolve) => {
      double.#server.listen(0, "127.0.0.1", resolve);
    });
    return double;
  }

  get env(): Readonly<Record<string, string>> {
    return {
      AWS_ENDPOINT_URL_ATHENA: `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: "us-east-1",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const asked = askedSchema.parse(JSON.parse(Buffer.concat(chunks).toString()));
    const target = String(request.headers["x-amz-target"]).replace("AmazonAthena.", "");
    const body = JSON.stringify(await this.#give(target, asked));
    response.writeHead(200, { "content-type": "application/x-amz-json-1.1" });
    response.end(body);
  }

  async #give(target: string, asked: Asked): Promise<object> {
    const id = asked.QueryExecutionId ?? "";
    switch (target) {
      case "StartQueryExecution": {
        const sql = asked.QueryString ?? "";
        const started = `00000000-0000-4000-8000-${String(this.started.length).padStart(12, "0")}`;
        this.started.push(asked);
        const answer = this.#answer(sql);
        answer.catch(() => undefined);
        this.#executions.set(started, { sql, answer, looks: 0 });
        return { QueryExecutionId: started };
      }
      case "GetQueryExecution":
        return {
          QueryExecution: {
            QueryExecutionId: id,
            Status: await this.#status(id),
            Statistics: { DataScannedInBytes: 4_500_000 },
          },
        };
      case "GetQueryResults":
        return await this.#page(id, Number(asked.NextToken ?? "0"));
      case "StopQueryExecution":
        this.stopped.push(id);
        return {};
      default:
        throw new Error(`Athena's double knows no ${target}`);
    }
  }

  async #status(id: string): Promise<object> {
    const execution = this.#executions.get(id);
    if (execution === undefined) return { State: "FAILED", StateChangeReason: "no such query" };
    const ending = this.ending(execution.sql);
    if (ending !== undefined) return ending;
    execution.looks += 1;
    if (execution.looks === 1 && this.started.length % QUEUED_OF === 0) return { State: "QUEUED" };
    try {
      await execution.answer;
      return { State: "SUCCEEDED" };
    } catch (error) {
      return { State: "FAILED", StateChangeReason: `${engineWordFor(error)}: line 1:1: ${String(error)}` };
    }
  }

  async #page(id: string, from: number): Promise<object> {
    const execution = this.#executions.get(id);
    if (execution === undefined) throw new Error("no such query");
    const { names, rows } = await execution.answer;
    const lines = [names, ...rows.map((row) => names.map((name) => textOf(row[name])))];
    return {
      ResultSet: {
        ResultSetMetadata: { ColumnInfo: names.map((Name) => ({ Name, Type: "varchar" })) },
        Rows: lines
          .slice(from, from + PAGE_ROWS)
          .map((line) => ({ Data: line.map((value) => (value === null ? {} : { VarCharValue: value })) })),
      },
      ...(from + PAGE_ROWS < lines.length ? { NextToken: String(from + PAGE_ROWS) } : {}),
    };
  }
}
