import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { costCommand, type Outcome } from "./cost-command.ts";
import { focusCsv, generateMonth } from "./report/focus-month.ts";
import { scratchFolder } from "./report/scratch-folder.ts";

const write = scratchFolder();
const bill = write("bill.csv", focusCsv(generateMonth(2, 30).rows));

const ENVIRONMENT = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "dev",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "10.00" },
};

const stack = write("dev.ts", `export const dev = ${JSON.stringify(ENVIRONMENT)};\n`);

const bedplate = (...args: string[]): Promise<Outcome> => costCommand(path.dirname(stack), ...args);

describe("bedplate cost report", () => {
  it("prints the balance sheet in every format and exits with 0", async () => {
    const table = await bedplate("report", "--input", bill);
    expect(table).toMatchObject({ exitCode: 0, stderr: "" });
    expect(table.stdout).toContain("The balance sheet closes: difference 0.");
    const csv = await bedplate("report", "--input", bill, "--format", "csv");
    expect(csv.stdout).toMatch(
      /\r\nbalance,USD,2026-07,2026-07,difference,team,,,0,0,0,0,0\.00,0\.00,0\.00,,,,,,\r\n/,
    );
    const json = await bedplate("report", "--input", bill, "--format", "json", "--by", "cost-center");
    expect(JSON.parse(json.stdout)).toMatchObject({
      kind: "CostReport",
      by: "cost-center",
      currencies: [{ balance: { balanced: true } }, { balance: { balanced: true } }],
    });
  });

  it("exits with 2 and every fault on stderr", async () => {
    const broken = write("broken.csv", focusCsv(generateMonth(2, 30).rows).replaceAll('"Usage"', '"Use"'));
    const outcome = await bedplate("report", "--input", broken);
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/broken\.csv: 1 fault\n {2}ChargeCategory: none of Usage/);
    expect(await bedplate("report", "--input", bill, "--month", "July")).toMatchObject({ exitCode: 2 });
  });

  it("writes to a file, and says when it cannot", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-cost-out-"));
    try {
      const out = path.join(folder, "report.csv");
      const outcome = await bedplate("report", "--input", bill, "--format", "csv", "--out", out);
      expect(outcome).toEqual({ exitCode: 0, stdout: "", stderr: "" });
      expect(readFileSync(out, "utf8")).toMatch(/^section,currency/);
      const failed = await bedplate("report", "--input", bill, "--out", path.join(folder, "no", "where"));
      expect(failed.exitCode).toBe(2);
      expect(failed.stderr).toContain("--out: Cannot write");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe("bedplate cost estimate", () => {
  it("takes an environment by name and from a file", async () => {
    const byName = await bedplate("estimate", "--env", "dev", "--format", "csv");
    const byFile = await bedplate(
      "estimate",
      "--env",
      write("environment.json", JSON.stringify(ENVIRONMENT)),
      "--format",
      "csv",
    );
    expect(byName).toMatchObject({ exitCode: 0, stderr: "" });
    expect(byFile).toEqual(byName);
    expect(byName.stdout).toContain("us-east-1,USD,2026-07-20,payments,CC-7,mcp-tools,web,");
  });

  it("exits with 1 over budget only where that was asked for", async () => {
    const asked = await bedplate("estimate", "--env", "dev", "--fail-over-budget");
    expect(asked.exitCode).toBe(1);
    expect(asked.stdout).toContain("OVER by");
    expect((await bedplate("estimate", "--env", "dev")).exitCode).toBe(0);
  });

  it("exits with 2 on an unknown name, a missing file and a file with faults", async () => {
    expect(await bedplate("estimate", "--env", "nope")).toMatchObject({ exitCode: 2 });
    expect(await bedplate("estimate", "--env", "./nope.yaml")).toMatchObject({ exitCode: 2 });
    const broken = write("broken.yaml", "kind: Environment\nname: x\nregion: 7\nhostPools: []\n");
    const outcome = await bedplate("estimate", "--env", broken);
    expect(outcome.exitCode).toBe(2);
    for (const fault of ["apiVersion", "name", "region", "owner", "hostPools", "service", "budget"]) {
      expect(outcome.stderr).toContain(`\n  ${fault}`);
    }
  });
});
