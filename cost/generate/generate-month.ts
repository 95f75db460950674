import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { sqlName, sqlText } from "../report/bill-database.ts";
import { type Answer, answerSchema } from "./answer.ts";
import { type EventPlan, eventsSql, fewestRows, planEvents } from "./month-events.ts";
import { byKind, LINE_KIND, type LineSet, lineSetOf, linesSql, scenesFor } from "./month-lines.ts";
import type { MonthFormat, MonthKind } from "./month-kinds.ts";
import type { Charge, Scene } from "./scene.ts";
import { SCENES } from "./scenes.ts";

export interface GenerateArgs {
  readonly kind: MonthKind;
  readonly format: MonthFormat;
  /** Lines of the bill, exactly. */
  readonly rows: number;
  readonly seed: number;
  /** As in 2026-07. */
  readonly month: string;
  /** 2: the month is delivered before its late lines are there, and then again with them. */
  readonly deliveries: 1 | 2;
  /** A folder that is empty or not there yet. */
  readonly out: string;
  readonly onProgress?: (linesWritten: number) => void;
}

/** Events of one file, so that neither a file nor what DuckDB holds of it outgrows a small machine. */
const EVENTS_PER_FILE = 2_000_000;

const MEMORY_LIMIT = "1GB";

const COPY_OPTIONS: Readonly<Record<MonthFormat, string>> = {
  parquet: "format parquet, compression snappy, row_group_size 122880",
  csv: "format csv, header true",
  "csv.gz": "format csv, header true, compression gzip",
};

async function refuseUnusable(args: GenerateArgs, lineSet: LineSet): Promise<void> {
  const faults: Fault[] = [];
  const fewest = fewestRows(lineSet.linesOf);
  if (args.rows < fewest) {
    faults.push({ path: "--rows", message: `${args.rows} lines cannot hold every scene: ${fewest} can` });
  }
  const there = await readdir(args.out).catch(() => []);
  if (there.length > 0) {
    faults.push({ path: "--out", message: `${args.out} is not empty: name a new folder` });
  }
  if (faults.length > 0) throw new InputError("command line", faults);
}

interface Delivery {
  readonly folder: string;
  readonly isWhole: boolean;
}

/** Where an export puts a month: overwritten in place, or each delivery in a folder that begins with its time. */
function deliveriesOf({ out, month, deliveries }: GenerateArgs): readonly Delivery[] {
  const period = path.join(out, "data", `BILLING_PERIOD=${month}`);
  if (deliveries === 1) return [{ folder: period, isWhole: true }];
  const end = new Date(`${month}-28T04:00:00Z`);
  const at = (days: number): string =>
    path.join(period, `${new Date(end.getTime() + days * 86_400_000).toISOString()}-generated`);
  return [
    { folder: at(4), isWhole: false },
    { folder: at(9), isWhole: true },
  ];
}

async function writeDelivery(
  connection: DuckDBConnection,
  args: GenerateArgs,
  plan: EventPlan,
  delivery: Delivery,
): Promise<void> {
  await mkdir(delivery.folder, { recursive: true });
  const lineSet = lineSetOf(args.kind);
  const columns = lineSet.columns(plan.scenes, args.format === "parquet" ? "parquet" : "text");
  const selected = columns.map(({ name, sql }) => `${sql} as ${sqlName(name)}`).join(",\n");
  for (let from = 0, part = 1; from < plan.events; from += EVENTS_PER_FILE, part += 1) {
    const to = Math.min(from + EVENTS_PER_FILE, plan.events);
    const file = path.join(
      delivery.folder,
      `bill-${String(part).padStart(5, "0")}.${args.format === "parquet" ? "snappy.parquet" : args.format}`,
    );
    const query = `
      with event as (${eventsSql(plan, from, to)}),
      line as (
        select *, ${LINE_KIND} as kind
        from (select *, unnest(range(${linesSql(plan.scenes, lineSet.linesOf)})) as line
              from event ${delivery.isWhole ? "" : "where not is_late"})
      )
      select ${selected} from line`;
    await connection.run(`copy (${query}) to ${sqlText(file)} (${COPY_OPTIONS[args.format]})`);
    args.onProgress?.(Math.min(args.rows, Math.round((to / plan.events) * args.rows)));
  }
}

/** What happened, a row per charge, for the report's answer. */
function chargesSql(plan: EventPlan, kind: MonthKind, from: number, to: number): string {
  const standard = kind.startsWith("focus") ? "FOCUS" : "CUR";
  const charges = (scene: Scene): readonly Charge[] =>
    scene.charges.filter((charge) => charge.only === undefined || charge.only === standard);
  const by = (value: (charge: Charge) => string): string => byKind(plan.scenes, charges, value);
  const text = (value: string | undefined): string => (value === undefined ? "null" : sqlText(value));
  return `
    select
      ${by((charge) => sqlText(charge.bucket))} as bucket,
      ${by((charge) => charge.owner ?? "null")} as owner,
      ${by((charge) => text(charge.because))} as because,
      cast(${by((charge) => (charge.isOfPeriod === true ? "month_start" : "starts_at"))} as date) as day,
      ${by((charge) => `cast(${charge.billed ?? "0"} as bigint)`)} as billed,
      ${by((charge) => `cast(${charge.effective ?? "0"} as bigint)`)} as effective
    from (
      select *, ${LINE_KIND} as kind
      from (select *, unnest(range(${linesSql(plan.scenes, (scene) => charges(scene).length)})) as line
            from (${eventsSql(plan, from, to)}))
    )`;
}

const exact = (column: string): string => `cast(sum(${column}) as decimal(38, 0)) * 0.0000000001`;

async function readAnswer(
  connection: DuckDBConnection,
  args: GenerateArgs,
  plan: EventPlan,
): Promise<Answer> {
  await connection.run(
    `create temp table charge (bucket varchar, owner varchar, because varchar, day date, billed hugeint, effective hugeint)`,
  );
  for (let from = 0; from < plan.events; from += EVENTS_PER_FILE) {
    const to = Math.min(from + EVENTS_PER_FILE, plan.events);
    await connection.run(
      `insert into charge select bucket, owner, because, day, sum(billed), sum(effective)
       from (${chargesSql(plan, args.kind, from, to)}) group by all`,
    );
  }
  const rows = async (sql: string): Promise<unknown[]> =>
    (await connection.runAndReadAll(sql)).getRowObjectsJson();
  const money = `cast(${exact("billed")} as varchar) as billed, cast(${exact("effective")} as varchar) as effective`;
  const [invoice] = await rows(
    `select 'USD' as currency, cast(${exact("billed")} as varchar) as billed from charge`,
  );
  return answerSchema.parse({
    kind: args.kind,
    month: args.month,
    seed: args.seed,
    lines: args.rows,
    invoice,
    rows: await rows(`select bucket, owner, because, ${money} from charge group by all order by all`),
    days: await rows(
      `select cast(day as varchar) as day, bucket, owner, ${money} from charge group by all order by all`,
    ),
  });
}

/**
 * Writes a bill of one month and `answer.json`, what a report of it has to say. The same arguments write the same bytes.
 *
 * @throws {InputError} when the lines are too few to hold every scene, or the folder has something in it
 */
export async function generateMonth(args: GenerateArgs): Promise<Answer> {
  const lineSet = lineSetOf(args.kind);
  await refuseUnusable(args, lineSet);
  const plan = planEvents({ ...args, scenes: scenesFor(args.kind, SCENES), linesOf: lineSet.linesOf });
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    memory_limit: MEMORY_LIMIT,
  });
  try {
    const connection = await instance.connect();
    await connection.run("set TimeZone = 'UTC'");
    for (const delivery of deliveriesOf(args)) await writeDelivery(connection, args, plan, delivery);
    const answer = await readAnswer(connection, args, plan);
    await writeFile(path.join(args.out, "answer.json"), `${JSON.stringify(answer, null, 2)}\n`);
    return answer;
  } finally {
    instance.closeSync();
  }
}
