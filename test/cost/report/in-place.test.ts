import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { generateMonth } from "../../../cost/generate/generate-month.ts";
import { AthenaDouble } from "../../helpers/athena-double.ts";
import { type Answer, DuckDBTables } from "../../helpers/duckdb-tables.ts";
import { TrinoDouble } from "../../helpers/trino-double.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { withoutProgress } from "./without-progress.ts";

const BEDPLATE = path.resolve(import.meta.dirname, "../../../cli/bedplate.ts");
const ROWS = 1500;
const KINDS = ["cur2", "focus-1.2"] as const;

/** A sound FOCUS line, of which a test changes what it is about. */
const LINE = {
  BilledCost: "'1.50'",
  EffectiveCost: "'1.25'",
  BillingCurrency: "'USD'",
  BillingPeriodStart: "'2026-07-01T00:00:00Z'",
  BillingPeriodEnd: "'2026-08-01T00:00:00Z'",
  ChargePeriodStart: "timestamp '2026-07-01 00:00:00'",
  ChargePeriodEnd: "timestamp '2026-07-02 00:00:00'",
  ChargeCategory: "'Usage'",
  ServiceName: "'Compute'",
  Tags: "map {'team': 'search'}",
};

function line(changed: Partial<Record<keyof typeof LINE, string>> = {}): string {
  const columns = Object.entries({ ...LINE, ...changed }).map(([name, value]) => `${value} as ${name}`);
  return `select ${columns.join(", ")}`;
}

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-in-place-"));
let tables: DuckDBTables;
let trino: TrinoDouble;
let athena: AthenaDouble;
/** What happens behind the engine before it answers a query. */
let beforeAnswer: (sql: string) => Promise<void>;

beforeAll(async () => {
  tables = await DuckDBTables.open("hive", "bill");
  for (const kind of KINDS) {
    const out = path.join(folder, kind);
    await generateMonth({
      kind,
      format: "parquet",
      rows: ROWS,
      seed: 5,
      month: "2026-07",
      deliveries: 1,
      out,
    });
    const file = readdirSync(out, { recursive: true, encoding: "utf8" }).find((name) =>
      name.endsWith(".parquet"),
    );
    await tables.createFromParquet(kind.replaceAll(/\W/g, "_"), path.join(out, file ?? ""));
  }
  const answer = async (sql: string): Promise<Answer> => {
    await beforeAnswer(sql);
    return await tables.answer(sql);
  };
  trino = await TrinoDouble.start(answer);
  athena = await AthenaDouble.start(answer);
});

afterAll(async () => {
  await trino.stop();
  await athena.stop();
  tables.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  beforeAnswer = async () => undefined;
});

afterEach(() => {
  trino.fault = () => false;
  trino.asked.length = 0;
  trino.cancelled.length = 0;
  athena.ending = () => undefined;
  athena.started.length = 0;
  athena.stopped.length = 0;
  vi.unstubAllEnvs();
});

const ENGINES = {
  trino: (table: string) => `trino://bi@${trino.host}/hive/bill/${table}`,
  athena: (table: string) => {
    for (const [name, value] of Object.entries(athena.env)) vi.stubEnv(name, value);
    return `athena://finance/bill/${table}?catalog=hive&output=s3://results/bedplate/`;
  },
} as const;

async function reportOn(input: string, ...more: string[]): Promise<Outcome> {
  return await costCommand("stacks", "report", "--input", input, "--json", ...more);
}

function moneyOf({ stdout }: Outcome): unknown {
  const { source: _source, notes: _notes, ...report } = JSON.parse(stdout) as Record<string, unknown>;
  return report;
}

describe.each(["trino", "athena"] as const)(
  "a bill in a table of %s (a double of it, with DuckDB behind)",
  (engine) => {
    const at = (table: string): string => ENGINES[engine](table);

    it.each(KINDS)("is split as the files of %s are, to the last digit", async (kind) => {
      const table = await reportOn(at(kind.replaceAll(/\W/g, "_")));
      const files = await reportOn(path.join(folder, kind));
      expect(withoutProgress(table.stderr)).toBe("");
      expect(table.exitCode).toBe(0);
      expect(moneyOf(table)).toEqual(moneyOf(files));
    });

    it("says what stands for the table, and the same every time until the table changes", async () => {
      await tables.create("kept", `${line()} union all ${line({ BilledCost: "'2'" })}`);
      const first = await reportOn(at("kept"));
      expect(JSON.parse(first.stdout)).toMatchObject({
        source: {
          name: "hive.bill.kept",
          bytes: null,
          files: [{ name: "hive.bill.kept", format: "table", bytes: null, lines: 2 }],
          standard: "FOCUS",
          lines: 2,
        },
      });
      expect((JSON.parse(first.stdout) as { notes: string[] }).notes[0]).toMatch(
        /^read in place by (?:Trino|Athena): /,
      );
      expect((await reportOn(at("kept"))).stdout).toBe(first.stdout);
      const sha256 = ({ stdout }: Outcome) =>
        (JSON.parse(stdout) as { source: { sha256: string } }).source.sha256;
      await tables.create("kept", `${line()} union all ${line({ BilledCost: "'3'" })}`);
      expect(sha256(await reportOn(at("kept")))).not.toBe(sha256(first));
    });

    it("fails on a table that is not there", async () => {
      const { exitCode, stderr } = await reportOn(at("nowhere"));
      expect(exitCode).toBe(2);
      expect(stderr).toContain("/bill/nowhere: 1 fault\n  (whole file): there is no such table");
    });

    it("fails with every column that is missing or of a type that no bill has", async () => {
      await tables.create(
        "half",
        "select '1' as BilledCost, [1] as EffectiveCost, 'x' as Tags, 'USD' as BillingCurrency",
      );
      const { exitCode, stderr } = await reportOn(at("half"));
      expect(exitCode).toBe(2);
      expect(stderr).toContain("ChargeCategory: the column is missing");
      expect(stderr).toContain("ServiceName: the column is missing");
    });

    it("fails with every fault of its rows before any of them is money", async () => {
      await tables.create(
        "odd",
        [
          line(),
          line({ BilledCost: "null", EffectiveCost: "'1,5'" }),
          line({ ChargeCategory: "'Usag'", ChargePeriodEnd: "timestamp '2026-06-01 00:00:00'" }),
        ].join(" union all "),
      );
      const { exitCode, stderr, stdout } = await reportOn(at("odd"));
      expect(exitCode).toBe(2);
      expect(stderr).toContain("BilledCost: no decimal number in 1 row: no value");
      expect(stderr).toContain('EffectiveCost: no decimal number in 1 row: "1,5"');
      expect(stderr).toContain(
        'ChargeCategory: none of Usage, Purchase, Tax, Credit, Adjustment in 1 row: "Usag"',
      );
      expect(stderr).toContain("ChargePeriodEnd: a charge period that ends before it begins in 1 row");
      expect(stdout).not.toContain("CostReport");
    });

    it("fails on a table without rows", async () => {
      await tables.create("empty", `${line()} limit 0`);
      expect((await reportOn(at("empty"))).stderr).toContain("the table has no rows");
    });

    it("fails when the table grows while it is read", async () => {
      await tables.create("growing", line());
      beforeAnswer = async (sql) => {
        if (sql.includes("CommitmentDiscountType)"))
          await tables.run(`insert into hive.bill.growing ${line()}`);
      };
      const { exitCode, stderr } = await reportOn(at("growing"));
      expect(stderr).toContain("changed while it was read");
      expect(exitCode).toBe(2);
    });
  },
);

describe("a bill in a table of Trino", () => {
  const at = (): string => ENGINES.trino("sound");

  beforeAll(async () => {
    await tables.create("sound", line());
  });

  it("is asked as the user of the address, without credentials where there are none", async () => {
    expect((await reportOn(at())).exitCode).toBe(0);
    for (const { headers } of trino.asked) {
      expect(headers).toMatchObject({
        "x-trino-user": "bi",
        "x-trino-source": "bedplate",
        "x-trino-time-zone": "UTC",
      });
      expect(headers.authorization).toBeUndefined();
    }
  });

  it("is asked with a password or a token of the environment or of a file, which are printed nowhere", async () => {
    const file = path.join(folder, "password");
    writeFileSync(file, "from a file:secret\n");
    const cases = [
      ["TRINO_PASSWORD", "open sesame", `Basic ${Buffer.from("bi:open sesame").toString("base64")}`],
      ["TRINO_PASSWORD_FILE", file, `Basic ${Buffer.from("bi:from a file:secret").toString("base64")}`],
      ["TRINO_ACCESS_TOKEN", "ey.J.wt", "Bearer ey.J.wt"],
    ] as const;
    for (const [name, value, authorization] of cases) {
      vi.stubEnv(name, value);
      trino.asked.length = 0;
      const { stdout, stderr, exitCode } = await reportOn(at());
      expect(exitCode).toBe(0);
      expect(new Set(trino.asked.map(({ headers }) => headers.authorization))).toEqual(
        new Set([authorization]),
      );
      expect(`${stdout}${stderr}`).not.toMatch(/open sesame|secret|ey\.J/);
      vi.unstubAllEnvs();
    }
  });

  it("never sends a password in the clear, nor two kinds of credentials", async () => {
    vi.stubEnv("TRINO_PASSWORD", "open sesame");
    const clear = await reportOn("trino://bi@trino.example.com/hive/bill/sound?SSL=false");
    expect(clear.stderr).toContain("TRINO_PASSWORD: is sent over TLS alone");
    vi.stubEnv("TRINO_ACCESS_TOKEN", "ey.J.wt");
    expect((await reportOn(at())).stderr).toContain("give a password or a token (JWT), not both");
    expect(trino.asked).toEqual([]);
  });

  it("never follows an answer to another address", async () => {
    vi.stubEnv("TRINO_PASSWORD", "open sesame");
    trino.fault = (_, response) => {
      response.end(JSON.stringify({ id: "q", nextUri: "http://127.0.0.2:1234/v1/statement/executing/q/0" }));
      return true;
    };
    const { exitCode, stderr } = await reportOn(at());
    expect(exitCode).toBe(2);
    expect(stderr).toContain("goes on at http://127.0.0.2:1234 and not at http://127.0.0.1:");
  });

  it("is asked again while the server is busy", async () => {
    let refusals = 0;
    trino.fault = (_, response) => {
      refusals += 1;
      if (refusals % 2 === 0) return false;
      response.writeHead(503).end();
      return true;
    };
    expect((await reportOn(at())).exitCode).toBe(0);
    expect(refusals).toBeGreaterThan(10);
  });

  it.each([
    ["does not know the user", 401, "", 'asks who "bi" is (401): set TRINO_PASSWORD or TRINO_ACCESS_TOKEN'],
    ["lets the user not ask", 403, "", 'does not let "bi" ask (403)'],
    ["fails", 500, "Internal", "answers 500: Internal"],
    ["is none", 200, "<html>", "with what is no page of rows: is it a Trino?"],
  ])("fails in words when the server %s", async (_, status, body, message) => {
    trino.fault = (_request, response) => {
      response.writeHead(status).end(body);
      return true;
    };
    const { exitCode, stderr } = await reportOn(at());
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it("fails with the query's id and the server's word when a query fails", async () => {
    trino.fault = (request, response) => {
      if (request.method !== "GET") return false;
      const error = {
        message: "Access Denied: Cannot select from table bill.sound",
        errorName: "PERMISSION_DENIED",
      };
      response.end(JSON.stringify({ id: "20260801_000000_00001_bdplt", error }));
      return true;
    };
    const { exitCode, stderr } = await reportOn(at());
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      "query 20260801_000000_00001_bdplt: PERMISSION_DENIED: Access Denied: Cannot select from table bill.sound (the user needs select on the table)",
    );
  });

  it("cancels its query when it breaks off in the middle", async () => {
    trino.fault = (request, response) => {
      if (request.method !== "GET") return false;
      response.writeHead(200, { "content-length": "1000" });
      response.write('{"id":');
      response.destroy();
      return true;
    };
    const { exitCode, stderr } = await reportOn(at());
    expect(exitCode).toBe(2);
    expect(stderr).toMatch(/its answer broke off|Cannot ask it/);
    expect(trino.cancelled).toHaveLength(1);
  });
});

describe("a bill in a table of Athena", () => {
  beforeAll(async () => {
    await tables.create("sound", line());
  });

  it("is asked in the workgroup, database and catalog of the address, with its place for results", async () => {
    expect((await reportOn(ENGINES.athena("sound"))).exitCode).toBe(0);
    for (const started of athena.started) {
      expect(started).toMatchObject({
        WorkGroup: "finance",
        QueryExecutionContext: { Catalog: "hive", Database: "bill" },
        ResultConfiguration: { OutputLocation: "s3://results/bedplate/" },
      });
    }
  });

  it.each([
    [
      "CANCELLED",
      "Query cancelled! : Bytes scanned limit was exceeded",
      "was stopped: it reads more than workgroup finance lets a query read. Raise the workgroup's BytesScannedCutoffPerQuery",
    ],
    ["CANCELLED", "", "was cancelled: nobody said why"],
    ["FAILED", "PERMISSION_DENIED: on S3 location s3://cur/", "PERMISSION_DENIED: on S3 location s3://cur/"],
  ] as const)(
    "fails with the query's id when it ends as %s: %s",
    async (State, StateChangeReason, message) => {
      athena.ending = () => ({ State, StateChangeReason });
      const { exitCode, stderr } = await reportOn(ENGINES.athena("sound"));
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`query 00000000-0000-4000-8000-000000000000: ${message}`);
    },
  );

  it("fails in words without a region", async () => {
    const address = ENGINES.athena("sound");
    vi.stubEnv("AWS_REGION", undefined);
    vi.stubEnv("AWS_DEFAULT_REGION", undefined);
    expect((await reportOn(address)).stderr).toContain("no AWS region is set: set AWS_REGION");
  });
});

describe.each(["trino", "athena"] as const)("a report on a table of %s that is interrupted", (engine) => {
  it("stops the query that runs there, and then ends by the signal", async () => {
    await tables.create("sound", line());
    const address = ENGINES[engine]("sound");
    let hasBegun = (): void => undefined;
    const begun = new Promise<void>((resolve) => {
      hasBegun = resolve;
    });
    const release = Promise.withResolvers<void>();
    beforeAnswer = async (sql) => {
      if (!sql.includes("as bad_0")) return;
      hasBegun();
      await release.promise;
    };
    if (engine === "athena")
      athena.ending = (sql) => (sql.includes("as bad_0") ? { State: "RUNNING" } : undefined);
    const child = execa(process.execPath, [BEDPLATE, "cost", "report", "--input", address], {
      env: engine === "athena" ? athena.env : {},
      reject: false,
      timeout: 60_000,
    });
    await begun;
    child.kill("SIGINT");
    const { signal, stdout } = await child;
    release.resolve();
    expect(signal).toBe("SIGINT");
    expect(stdout).toBe("");
    expect(engine === "athena" ? athena.stopped : trino.cancelled).toHaveLength(1);
  });
});

describe("verbs that need a bill's files", () => {
  it.each([
    ["report", "--format", "focus"],
    ["idle", "--env", "prod"],
  ])("refuse a table in words: cost %s %s", async (verb, ...more) => {
    await tables.create("sound", line());
    const { exitCode, stderr } = await costCommand(
      "stacks",
      verb,
      ...more,
      "--input",
      ENGINES.trino("sound"),
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain("a table is read in place by cost report (not as FOCUS)");
  });
});
