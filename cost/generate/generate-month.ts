import { mkdir, readdir, writeFile } from "node:fs/promises";
import path from "node:path";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { sqlName, sqlText } from "../report/bill-database.ts";
import { type Answer, answerSchema } from "./answer.ts";
import { type EventPlan, eventsSql, fewestRows, planEvents } from "./month-events.ts";
import { byKind, LINE_KIND, type LineSet, lineSetOf, linesSql, scenesFor } from "./month-lines.ts";
import { IDLE_SCENES, idleAnswer, idleEventsSql, idleLines } from "./idle-scenes.ts";
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
  /** Whether an account is among them whose idle resources are known. */
  readonly isIdleKnown?: boolean;
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

/** A part of a month's lines, as large as a file may be. */
interface MonthPart {
  readonly scenes: readonly Scene[];
  /** What happens in it. */
  readonly eventsSql: string;
  /** Lines of the month that are written with it. */
  readonly linesUntil: number;
}

function daysOfMonth(month: string): number {
  const start = new Date(`${month}-01T00:00:00Z`);
  return new Date(Date.UTC(start.getUTCFullYear(), start.getUTCMonth() + 1, 0)).getUTCDate();
}

function idleLinesOf({ isIdleKnown, month }: GenerateArgs): number {
  return isIdleKnown === true ? idleLines(daysOfMonth(month)) : 0;
}

function partsOf(plan: EventPlan, args: GenerateArgs): readonly MonthPart[] {
  const parts: MonthPart[] = [];
  for (let from = 0; from < plan.events; from += EVENTS_PER_FILE) {
    const to = Math.min(from + EVENTS_PER_FILE, plan.events);
    parts.push({
      scenes: plan.scenes,
      eventsSql: eventsSql(plan, from, to),
      linesUntil: Math.min(args.rows, Math.round((to / plan.events) * args.rows)),
    });
  }
  if (args.isIdleKnown !== true) return parts;
  return [...parts, { scenes: IDLE_SCENES, eventsSql: idleEventsSql(plan), linesUntil: args.rows }];
}

async function refuseUnusable(args: GenerateArgs, lineSet: LineSet): Promise<void> {
  const faults: Fault[] = [];
  const fewest = fewestRows(lineSet.linesOf) + idleLinesOf(args);
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
  parts: readonly MonthPart[],
  delivery: Delivery,
): Promise<void> {
  await mkdir(delivery.folder, { recursive: true });
  const lineSet = lineSetOf(args.kind);
  for (const [index, { scenes, eventsSql: events, linesUntil }] of parts.entries()) {
    const columns = lineSet.columns(scenes, args.format === "parquet" ? "parquet" : "text");
    const selected = columns.map(({ name, sql }) => `${sql} as ${sqlName(name)}`).join(",\n");
    const file = path.join(
      delivery.folder,
      `bill-${String(index + 1).padStart(5, "0")}.${args.format === "parquet" ? "snappy.parquet" : args.format}`,
    );
    const query = `
      with event as (${events}),
      line as (
        select *, ${LINE_KIND} as kind
        from (select *, unnest(range(${linesSql(scenes, lineSet.linesOf)})) as line
              from event ${delivery.isWhole ? "" : "where not is_late"})
      )
      select ${selected} from line`;
    await connection.run(`copy (${query}) to ${sqlText(file)} (${COPY_OPTIONS[args.format]})`);
    args.onProgress?.(linesUntil);
  }
}

/** What happened, a row per charge, for the report's answer. */
function chargesSql({ scenes, eventsSql: events }: MonthPart, kind: MonthKind): string {
  const standard = kind.startsWith("focus") ? "FOCUS" : "CUR";
  const charges = (scene: Scene): readonly Charge[] =>
    scene.charges.filter((charge) => charge.only === undefined || charge.only === standard);
  const by = (value: (charge: Charge) => string): string => byKind(scenes, charges, value);
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
      from (select *, unnest(range(${linesSql(scenes, (scene) => charges(scene).length)})) as line
            from (${events}))
    )`;
}

const exact = (column: string): string => `cast(sum(${column}) as decimal(38, 0)) * 0.0000000001`;

async function readAnswer(
  connection: DuckDBConnection,
  args: GenerateArgs,
  parts: readonly MonthPart[],
): Promise<Answer> {
  await connection.run(
    `create temp table charge (bucket varchar, owner varchar, because varchar, day date, billed hugeint, effective hugeint)`,
  );
  for (const part of parts) {
    await connection.run(
      `insert into charge select bucket, owner, because, day, sum(billed), sum(effective)
       from (${chargesSql(part, args.kind)}) group by all`,
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
    ...(args.isIdleKnown === true ? { idle: idleAnswer(daysOfMonth(args.month)) } : {}),
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
  const plan = planEvents({
    ...args,
    rows: args.rows - idleLinesOf(args),
    scenes: scenesFor(args.kind, SCENES),
    linesOf: lineSet.linesOf,
  });
  const parts = partsOf(plan, args);
  const instance = await DuckDBInstance.create(":memory:", {
    autoinstall_known_extensions: "false",
    autoload_known_extensions: "false",
    memory_limit: MEMORY_LIMIT,
  });
  try {
    const connection = await instance.connect();
    await connection.run("set TimeZone = 'UTC'");
    for (const delivery of deliveriesOf(args)) await writeDelivery(connection, args, parts, delivery);
    const answer = await readAnswer(connection, args, parts);
    await writeFile(path.join(args.out, "answer.json"), `${JSON.stringify(answer, null, 2)}\n`);
    return answer;
  } finally {
    instance.closeSync();
  }
}
