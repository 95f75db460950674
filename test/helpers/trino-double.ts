import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Answer, engineWordFor } from "./duckdb-tables.ts";

/** What the double does to one request, in place of answering it; false lets it answer. */
export type WireFault = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What a server says of a query that runs. */
const STATS = {
  state: "RUNNING",
  queued: false,
  totalSplits: 8,
  completedSplits: 3,
  progressPercentage: 37.5,
  processedRows: 1200,
  processedBytes: 240_000,
  physicalInputBytes: 60_000,
};

/** Rows of a page: few, so that an answer has many. */
const PAGE_ROWS = 7;

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}

/**
 * A double of Trino at the wire: its client protocol as a real server speaks it (a query's first pages have no rows, each
 * page names the next, the last one does not), with something else behind it.
 */
export class TrinoDouble {
  readonly asked: { readonly sql: string; readonly headers: IncomingMessage["headers"] }[] = [];
  readonly cancelled: string[] = [];
  fault: WireFault = () => false;
  readonly #answer: (sql: string) => Promise<Answer>;
  readonly #server: Server;
  readonly #queries = new Map<string, string>();

  private constructor(answer: (sql: string) => Promise<Answer>) {
    this.#answer = answer;
    this.#server = createServer((request, response) => {
      void this.#take(request, response).catch((error: unknown) => response.destroy(error as Error));
    });
  }

  static async start(answer: (sql: string) => Promise<Answer>): Promise<TrinoDouble> {
    const double = new TrinoDouble(answer);
    await new Promise<void>((resolve) => {
      double.#server.listen(0, "127.0.0.1", resolve);
    });
    return double;
  }

  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }

  async #take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.fault(request, response)) return;
    const [, , , , id = "", place = "0"] = (request.url ?? "").split("/");
    const give = (page: object, known = id): void => {
      response.writeHead(200, { "content-type": "application/json" });
      response.end(JSON.stringify({ id: known, stats: STATS, warnings: [], ...page }));
    };
    const next = (known: string, at: number) => ({
      nextUri: `http://${this.host}/v1/statement/executing/${known}/${at}`,
    });
    if (request.method === "POST") {
      const sql = await textOf(request);
      const known = `20260801_000000_${String(this.asked.length).padStart(5, "0")}_bdplt`;
      this.asked.push({ sql, headers: request.headers });
      this.#queries.set(known, sql);
      give(next(known, 0), known);
      return;
    }
    if (request.method === "DELETE") {
      this.cancelled.push(this.#queries.get(id) ?? "");
      response.writeHead(204).end();
      return;
    }
    const at = Number(place);
    if (at === 0) {
      give(next(id, 1));
      return;
    }
    try {
      const { names, rows } = await this.#answer(this.#queries.get(id) ?? "");
      const from = (at - 1) * PAGE_ROWS;
      const data = rows.slice(from, from + PAGE_ROWS).map((row) => names.map((name) => row[name]));
      const more = from + PAGE_ROWS < rows.length ? next(id, at + 1) : {};
      give({ columns: names.map((name) => ({ name, type: "varchar" })), data, ...more });
    } catch (error) {
      give({
        error: {
          message: String(error),
          errorName: engineWordFor(error),
          errorCode: 1,
          errorType: "USER_ERROR",
        },
      });
    }
  }
}
