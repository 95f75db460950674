import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import * as z from "zod";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { sqlName, sqlText, withBillDatabase } from "../../../cost/report/bill-database.ts";
import { withBill } from "../../../cost/report/bill-file.ts";
import type { QueryEngine } from "../../../cost/report/in-place/query-engine.ts";
import { parseTableAddress } from "../../../cost/report/in-place/table-address.ts";
import { openTrino } from "../../../cost/report/in-place/trino-engine.ts";
import { TRINO_FOLDER, TRINO_VERSION } from "../../../tools/trino/get-server.ts";
import { startTrino, type TrinoServer } from "../../../tools/trino/start-server.ts";
import { AthenaDouble } from "../../helpers/athena-double.ts";
import { AwsApi, MOTO } from "../../helpers/aws-api.ts";
import { describeWith, file } from "../../helpers/needs.ts";
import { costCommand } from "../cost-command.ts";
import { withoutProgress } from "./without-progress.ts";

const TRINO = file(TRINO_FOLDER, `Trino ${TRINO_VERSION}`, "node tools/trino/get-server.ts");

/** Minutes on a machine that does other things too. */
const LIMIT_MILLIS = 900_000;
const ROWS = 50_000;
const BUCKET = "bill";

const RULES = `apiVersion: bedplate/v1
kind: AllocationRules
idle: { nodes: { gpu: shown, cpu: kept }, reservations: kept }
rules:
  - { name: search, cost: { tags: { Team: [search] }, regions: [us-east-1] } }
  - { name: tax, cost: { reasons: [tax] }, split: { by: even } }
`;

/** Trino's name for the type of a Parquet column, by DuckDB's. */
function trinoType(type: string): string {
  return type === "TIMESTAMP" ? "timestamp(3)" : type.toLowerCase();
}

describeWith([TRINO, MOTO], `a bill in a table of Trino ${TRINO_VERSION}`, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-trino-bill-"));
  const allocation = path.join(folder, "rules.yaml");
  let api: AwsApi;
  let trino: TrinoServer;
  let engine: QueryEngine;
  let athena: AthenaDouble;

  async function put(name: string, body: Buffer<ArrayBuffer> | null): Promise<void> {
    const response = await fetch(`${api.env["AWS_ENDPOINT_URL"] ?? ""}/${BUCKET}${name}`, {
      method: "PUT",
      body,
    });
    if (!response.ok) throw new Error(`S3 PUT ${name}: ${response.status} ${await response.text()}`);
  }

  async function putFiles(prefix: string, bill: string): Promise<void> {
    const files = readdirSync(bill, { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".parquet"),
    );
    for (const [index, name] of files.entries()) {
      await put(`/${prefix}/${index}.parquet`, readFileSync(path.join(bill, name)));
    }
  }

  /** The columns of the Parquet files of `bill` as Trino declares them. */
  async function columnsOf(bill: string): Promise<readonly string[]> {
    const columns = await withBill(bill, (opened) =>
      withBillDatabase(opened, {}, (database) =>
        database.rows(
          `describe select * from read_parquet(${sqlText(opened.files[0]?.readablePath ?? "")}, hive_partitioning = false)`,
        ),
      ),
    );
    return columns.map(
      ({ column_name: name, column_type: type }) => `${sqlName(String(name))} ${trinoType(String(type))}`,
    );
  }

  /** A table of Trino over the Parquet files of `bill`, with their columns. */
  async function createTable(table: string, bill: string): Promise<void> {
    await putFiles(table, bill);
    const typed = await columnsOf(bill);
    await engine.rows(
      `create table hive.bill.${table} (${typed.join(", ")}) with (external_location = 's3://${BUCKET}/${table}', format = 'PARQUET')`,
    );
  }

  async function report(input: string, ...more: string[]): Promise<Record<string, unknown>> {
    const args = [...more, "--input", input, "--month", "2026-07", "--allocation", allocation, "--json"];
    const { stdout, stderr, exitCode } = await costCommand("stacks", "report", ...args);
    expect(withoutProgress(stderr)).toBe("");
    expect(exitCode).toBe(0);
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  beforeAll(async () => {
    api = await AwsApi.start();
    await put("", null);
    trino = await startTrino({ endpoint: api.env["AWS_ENDPOINT_URL"] ?? "", bucket: BUCKET });
    const address = parseTableAddress(`trino://bedplate@${trino.host}/hive/bill/any`);
    if (address.engine !== "trino") throw new Error("an address of Trino is one of Trino");
    engine = await openTrino(address, new AbortController().signal);
    await engine.rows(`create schema hive.bill with (location = 's3://${BUCKET}/schema')`);
    athena = await AthenaDouble.start(async (sql) => {
      const rows = await engine.rows(sql);
      return { names: Object.keys(rows[0] ?? {}), rows };
    });
    writeFileSync(allocation, RULES);
  }, LIMIT_MILLIS);
  afterAll(async () => {
    vi.unstubAllEnvs();
    await athena?.stop();
    await trino?.stop();
    await api?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["cur2", "focus-1.2"] as const)(
    "is split as the files of %s are by DuckDB, to the last digit, by Trino itself and through Athena's protocol",
    async (kind) => {
      const out = path.join(folder, kind);
      await generateMonth({
        kind,
        format: "parquet",
        rows: ROWS,
        seed: 3,
        month: "2026-07",
        deliveries: 1,
        out,
      });
      const table = kind.replace(/\W/g, "_");
      await createTable(table, out);
      const { source, notes, ...onDuckDB } = await report(out);
      expect(source).toMatchObject({ lines: ROWS });
      const {
        source: table1,
        notes: said,
        ...onTrino
      } = await report(`trino://bi@${trino.host}/hive/bill/${table}`);
      expect(onTrino).toEqual(onDuckDB);
      expect(table1).toMatchObject({ name: `hive.bill.${table}`, lines: ROWS });
      const [inPlace, ...others] = said as string[];
      expect(inPlace).toMatch(/^read in place by Trino: its sha256 is of the file that it names, /);
      // Trino has the names of columns in lower case.
      expect(others.map((note) => note.toLowerCase())).toEqual(
        (notes as string[]).map((note) => note.toLowerCase()),
      );
      for (const [name, value] of Object.entries(athena.env)) vi.stubEnv(name, value);
      const {
        source: _source,
        notes: _notes,
        ...onAthena
      } = await report(`athena://finance/bill/${table}?catalog=hive`);
      expect(onAthena).toEqual(onDuckDB);
    },
    LIMIT_MILLIS,
  );

  it(
    "is read from a month's partition alone, by what Trino itself counts, to the last digit of the month's files",
    async () => {
      // Of sizes that have no common divisor, so that a count of rows says which files it is of.
      const months = [
        ["2026-06", 20_000],
        ["2026-07", 30_011],
      ] as const;
      const bills = months.map(([month]) => path.join(folder, "parted", month));
      for (const [index, [month, rows]] of months.entries()) {
        const out = bills[index] ?? "";
        await generateMonth({ kind: "cur2", format: "parquet", rows, seed: 4, month, deliveries: 1, out });
        await putFiles(`parted/billing_period=${month}`, out);
      }
      const columns = await columnsOf(bills[0] ?? "");
      await engine.rows(
        `create table hive.bill.parted (${[...columns, "billing_period varchar"].join(", ")}) with (external_location = 's3://${BUCKET}/parted', format = 'PARQUET', partitioned_by = array['billing_period'])`,
      );
      await engine.rows("call hive.system.sync_partition_metadata('bill', 'parted', 'ADD')");
      const { source: _files, notes: _said, ...onDuckDB } = await report(bills[1] ?? "");
      const { source, notes, ...onTrino } = await report(`trino://parts@${trino.host}/hive/bill/parted`);
      expect(onTrino).toEqual(onDuckDB);
      expect(source).toMatchObject({ lines: 30_011 });
      expect((notes as string[])[1]).toMatch(
        /^1 of the table's 2 partitions \(by billing_period\) have lines of 2026-07/,
      );
      const read = await rowsReadBy("parts");
      expect(read.length).toBeGreaterThan(5);
      expect(read.filter((rows) => rows % 30_011 !== 0)).toEqual([]);
    },
    LIMIT_MILLIS,
  );

  /** How many rows of files each of a user's queries of a bill read, but for those that look what is where. */
  async function rowsReadBy(user: string): Promise<readonly number[]> {
    const ask = async (where: string): Promise<unknown> => {
      const response = await fetch(`http://${trino.host}/v1/query${where}`, {
        headers: { "X-Trino-User": "bedplate" },
      });
      return await response.json();
    };
    const queries = z
      .array(z.object({ queryId: z.string(), query: z.string(), session: z.object({ user: z.string() }) }))
      .parse(await ask(""));
    const reading = queries.filter(
      ({ query, session }) =>
        session.user === user && !query.includes("information_schema") && !query.includes("as line_count"),
    );
    const statsSchema = z.object({ queryStats: z.object({ physicalInputPositions: z.number() }) });
    return await Promise.all(
      reading.map(async ({ queryId }) => {
        const { queryStats } = statsSchema.parse(await ask(`/${queryId}`));
        return queryStats.physicalInputPositions;
      }),
    );
  }

  it(
    "is refused with what its rows have wrong, as a file is",
    async () => {
      await engine.rows("create schema hive.own");
      const names =
        "BilledCost, EffectiveCost, BillingCurrency, BillingPeriodStart, BillingPeriodEnd, ChargePeriodStart, ChargePeriodEnd, ChargeCategory, ServiceName, Tags";
      const sound = `'1.5e-3', '1', 'USD', '2026-07-01T00:00:00Z', '2026-08-01', '2026-07-01 00:00:00.000', '2026-07-02T00:00:00+00:00', 'Usage', 'Compute', '{"team":"a"}'`;
      const odd = `cast(null as varchar), '1,5', 'usd', '2026-07-01', '2026-06-01', '2026-07-01', '2026-07-99', 'Usag', 'Compute', '{"team":"a","team":"b"}'`;
      await engine.rows(
        `create table hive.own.odd as select * from (values (${sound}), (${odd})) as t (${names})`,
      );
      const { stderr, exitCode } = await costCommand(
        "stacks",
        "report",
        "--input",
        `trino://bi@${trino.host}/hive/own/odd`,
      );
      expect(exitCode).toBe(2);
      expect(withoutProgress(stderr).split("\n").slice(1, -1)).toEqual([
        "  BilledCost: no decimal number in 1 row: no value",
        '  EffectiveCost: no decimal number in 1 row: "1,5"',
        '  BillingCurrency: no currency code as in USD in 1 row: "usd"',
        '  ChargePeriodEnd: no date and time in UTC in 1 row: "2026-07-99"',
        '  BillingPeriodEnd: a billing period that ends before it begins in 1 row: "2026-06-01"',
        '  ChargeCategory: none of Usage, Purchase, Tax, Credit, Adjustment in 1 row: "Usag"',
        '  Tags: no JSON object whose keys are there once in 1 row: "{\\"team\\":\\"a\\",\\"team\\":\\"b\\"}"',
      ]);
      await engine.rows(`create table hive.own.sound as select * from (values (${sound})) as t (${names})`);
      const more = ["--daily", "--resources", "5"];
      expect(await report(`trino://bi@${trino.host}/hive/own/sound`, ...more)).toMatchObject({
        currencies: [
          {
            balance: { bill: { billed: "0.0015", effective: "1" }, balanced: true },
            days: [{ day: "2026-07-01", billed: "0.0015" }],
            resources: [{ owner: "a", part: "no-resource", billed: "0.0015" }],
          },
        ],
      });
    },
    LIMIT_MILLIS,
  );
});
