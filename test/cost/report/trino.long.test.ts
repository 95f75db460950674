import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { type BillQueries, sqlName, sqlText, withBillDatabase } from "../../../cost/report/bill-database.ts";
import { withBill } from "../../../cost/report/bill-file.ts";
import { openBill } from "../../../cost/report/read-bill.ts";
import { readResources } from "../../../cost/report/read-resources.ts";
import type { SqlSettings } from "../../../cost/report/render-sql.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import {
  readBillTotals,
  readCommitments,
  readNodes,
  readSplitLines,
  readTagKeys,
} from "../../../cost/report/split-bill.ts";
import { TRINO_FOLDER, TRINO_VERSION } from "../../../tools/trino/get-server.ts";
import { startTrino, type TrinoServer } from "../../../tools/trino/start-server.ts";
import { AwsApi, MOTO } from "../../helpers/aws-api.ts";
import { describeWith, file } from "../../helpers/needs.ts";
import { openTrinoBill, queryTrino } from "../../helpers/trino.ts";

const TRINO = file(TRINO_FOLDER, `Trino ${TRINO_VERSION}`, "node tools/trino/get-server.ts");

/** Minutes on a machine that does other things too. */
const LIMIT_MILLIS = 900_000;
const ROWS = 50_000;
const BUCKET = "bill";

/** Trino's name for the type of a Parquet column, by DuckDB's. */
function trinoType(type: string): string {
  return type === "TIMESTAMP" ? "timestamp(3)" : type.toLowerCase();
}

/** What the report reads of a bill, whichever database it asks. */
async function answersOf(database: BillQueries, ask: Omit<SqlSettings, "tagKeys">) {
  const tagKeys = await readTagKeys(database);
  const settings = { ...ask, tagKeys: tagKeys.map(({ spelling }) => spelling) };
  const lines = await readSplitLines(database, settings);
  const resourcesOf = await readResources(database, { settings, split: lines, places: lines, most: 3 });
  return {
    tagKeys,
    lines,
    resources: resourcesOf("USD", []),
    totals: await readBillTotals(database, settings),
    commitments: await readCommitments(database, settings),
    nodes: await readNodes(database, settings),
  };
}

describeWith([TRINO, MOTO], `the report's SQL on Trino ${TRINO_VERSION}`, () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-trino-bill-"));
  let api: AwsApi;
  let trino: TrinoServer;

  const endpoint = (): string => api.env["AWS_ENDPOINT_URL"] ?? "";

  async function put(name: string, body: Buffer<ArrayBuffer> | null): Promise<void> {
    const response = await fetch(`${endpoint()}/${BUCKET}${name}`, { method: "PUT", body });
    if (!response.ok) throw new Error(`S3 PUT ${name}: ${response.status} ${await response.text()}`);
  }

  beforeAll(async () => {
    api = await AwsApi.start();
    await put("", null);
    trino = await startTrino({ endpoint: endpoint(), bucket: BUCKET });
    await queryTrino(trino.host, `create schema hive.bill with (location = 's3://${BUCKET}/schema')`);
  }, LIMIT_MILLIS);
  afterAll(async () => {
    await trino?.stop();
    await api?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(["cur2", "focus-1.2"] as const)(
    "gives the same numbers of %s as on DuckDB, to the last digit",
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
      const files = readdirSync(out, { recursive: true, encoding: "utf8" }).filter((name) =>
        name.endsWith(".parquet"),
      );
      for (const [index, name] of files.entries()) {
        await put(`/${table}/${index}.parquet`, readFileSync(path.join(out, name)));
      }
      const rules = allocationRulesSchema.parse({
        apiVersion: "bedplate/v1",
        kind: "AllocationRules",
        idle: { nodes: { gpu: "shown", cpu: "kept" }, reservations: "kept" },
        rules: [
          { name: "search", cost: { tags: { Team: ["search"] }, regions: ["us-east-1"] } },
          { name: "tax", cost: { reasons: ["tax"] }, split: { by: "even" } },
        ],
      });
      const ask = {
        key: reportKey("team", undefined),
        month: "2026-07",
        scale: 12,
        ownership: [],
        rules,
        items: [],
        isDaily: true,
      };
      const onDuckDB = await withBill(out, (bill) =>
        withBillDatabase(bill, undefined, async (database) => {
          await openBill(database, bill, ["Tags"]);
          const [first] = bill.files;
          const columns = await database.rows(
            `describe select * from read_parquet(${sqlText(first?.readablePath ?? "")}, hive_partitioning = false)`,
          );
          const typed = columns.map(
            ({ column_name: name, column_type: type }) =>
              `${sqlName(String(name))} ${trinoType(String(type))}`,
          );
          await queryTrino(
            trino.host,
            `create table hive.bill.${table} (${typed.join(", ")}) with (external_location = 's3://${BUCKET}/${table}', format = 'PARQUET')`,
          );
          return await answersOf(database, ask);
        }),
      );
      expect(onDuckDB.totals[0]?.line_count).toBeGreaterThanOrEqual(ROWS);
      expect(onDuckDB.lines.length).toBeGreaterThan(50);
      expect(new Set(onDuckDB.resources.map(({ part }) => part))).toEqual(
        new Set(["resource", "others", "no-resource"]),
      );
      const bill = await openTrinoBill({ host: trino.host, catalog: "hive", schema: "bill", table }, [
        "Tags",
      ]);
      expect(await answersOf(bill, ask)).toEqual(onDuckDB);
    },
    LIMIT_MILLIS,
  );
});
