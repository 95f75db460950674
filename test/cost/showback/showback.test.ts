import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import { describe, expect, it, onTestFinished } from "vitest";
import * as z from "zod";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { buildStatements, reconcile } from "../../../cost/showback/build-statements.ts";
import { showbackSchema } from "../../../cost/showback/showback.ts";
import { fileStem } from "../../../cost/showback/write-mails.ts";
import { withTab } from "../../helpers/browser-tab.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { focusCsv, focusRow, generateMonth } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();
const HOSTILE = '=cmd|"<b>\r\nBcc: thief@example.com';
const bill = write(
  "bill.csv",
  focusCsv([
    ...generateMonth(5, 120).rows,
    focusRow({
      BilledCost: "7.005",
      EffectiveCost: "8.015",
      Tags: JSON.stringify({ team: HOSTILE }),
      ServiceName: "S3 <i>",
    }),
  ]),
);
const folderOf = path.dirname(bill);
const owners = write(
  "owners.yaml",
  `apiVersion: bedplate/v1
kind: CostOwners
teams:
  - { team: Payments, mail: payments@example.com, costCenters: [{ costCenter: CC-1 }] }
`,
);

const showback = (folder: string, ...args: string[]): Promise<Outcome> => {
  const target = path.join(folderOf, folder);
  const common = `--shared platform --from finance@example.com --date 2026-08-03T09:00:00Z`.split(" ");
  const files = ["--input", bill, "--owners", owners, "--folder", target];
  return costCommand(folderOf, "showback", ...files, ...common, ...args);
};

describe("bedplate cost showback", () => {
  it("writes a mail for each team and nothing else, the same bytes each time", async () => {
    const first = await showback("first", "--json");
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    const { mails } = showbackSchema.parse(JSON.parse(first.stdout));
    expect(readdirSync(path.join(folderOf, "first")).toSorted()).toEqual(
      mails.map(({ file }) => file).toSorted(),
    );
    expect(mails.map(({ team, to }) => [team, to])).toContainEqual(["payments", "payments@example.com"]);
    expect(mails.filter(({ to }) => to === null).length).toBe(mails.length - 1);
    await showback("second");
    for (const { file } of mails) {
      const [one, two] = ["first", "second"].map((folder) => readFileSync(path.join(folderOf, folder, file)));
      expect(one).toEqual(two);
    }
  });

  it("prints at most 100 columns, with the balance sheet", async () => {
    const { stdout } = await showback("printed");
    expect(stdout).toContain("difference 0.");
    expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
  });

  it("fails on a folder that holds anything, and leaves it as it was", async () => {
    mkdirSync(path.join(folderOf, "taken"));
    write("taken/old.eml", "old");
    const outcome = await showback("taken");
    expect(outcome.exitCode).toBe(2);
    expect(outcome.stderr).toContain("--folder:");
    expect(outcome.stderr).toContain("is not empty");
    expect(readdirSync(path.join(folderOf, "taken"))).toEqual(["old.eml"]);
    expect(readdirSync(folderOf).filter((name) => name.startsWith(".taken"))).toEqual([]);
  });

  it("fails on every wrong option at once", async () => {
    const outcome = await showback("wrong", "--from", "finance", "--date", "yesterday");
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/--from: "finance"[^]*--date: "yesterday"/);
  });
});

describe("bedplate cost showback --previous", () => {
  /** A line of one service, in June or in July. */
  const charge = (month: "06" | "07", service: string, cost: string, team = "payments") => ({
    BilledCost: cost,
    EffectiveCost: cost,
    ListCost: cost,
    ServiceName: service,
    Tags: JSON.stringify({ team }),
    BillingPeriodStart: `2026-${month}-01T00:00:00Z`,
    BillingPeriodEnd: month === "06" ? "2026-07-01T00:00:00Z" : "2026-08-01T00:00:00Z",
    ChargePeriodStart: `2026-${month}-14T00:00:00Z`,
    ChargePeriodEnd: `2026-${month}-15T00:00:00Z`,
  });
  const twoMonths = write(
    "two-months.csv",
    focusCsv(
      [
        charge("06", "EC2", "100.001", "Payments"),
        charge("06", "RDS", "7.5"),
        charge("07", "EC2", "120.006"),
        { ...charge("07", "EC2", "-5"), ChargeCategory: "Credit" },
        charge("07", "S3", "2"),
        charge("07", "EC2", "3", "search"),
      ].map(focusRow),
    ),
  );
  const run = (folder: string, ...args: string[]): Promise<Outcome> => {
    const target = path.join(folderOf, folder);
    const common = "--month 2026-07 --from f@example.com --date 2026-08-03T09:00:00Z --json".split(" ");
    return costCommand(folderOf, "showback", "--input", twoMonths, "--folder", target, ...common, ...args);
  };
  const mailOf = (folder: string, team: string): string =>
    readFileSync(path.join(folderOf, folder, `2026-07-${team}.eml`), "utf8")
      .replaceAll("=\r\n", "")
      .replaceAll("\r\n", "\n");

  it("says what a team cost in the month before and what moved, in cents that add up to the mails", async () => {
    const { stdout, exitCode } = await run("compared");
    expect(exitCode).toBe(0);
    // The month before is the input's own, as if it had been named.
    expect((await run("named", "--previous", twoMonths)).exitCode).toBe(0);
    for (const team of ["payments", "search"]) expect(mailOf("named", team)).toBe(mailOf("compared", team));
    const { mails } = showbackSchema.parse(JSON.parse(stdout));
    expect(
      mails.map(({ team, amounts }) => [team, amounts[0]?.effectiveRounded, amounts[0]?.monthBefore]),
    ).toEqual([
      ["payments", "117.01", { month: "2026-06", effectiveRounded: "107.50", changeRounded: "9.51" }],
      ["search", "3.00", { month: "2026-06", effectiveRounded: "0.00", changeRounded: "3.00" }],
    ]);
    const mail = mailOf("compared", "payments");
    expect(mail).toContain(
      "In 2026-06 it was 107.50 effective: +9.51 (+8.8 %). Charges are known to 2026-07-14 only: the month is not whole yet.",
    );
    const movers = /moved most[^]*?\n\n/.exec(mail)?.[0].split("\n").slice(1, 4) ?? [];
    expect(movers.map((line) => line.trim().split(/\s{2,}/))).toEqual([
      ["EC2", "100.00", "115.01", "+15.01", "usage"],
      ["RDS", "7.50", "0.00", "-7.50", "gone: usage"],
      ["S3", "0.00", "2.00", "+2.00", "new: usage"],
    ]);
    expect(mailOf("compared", "search")).toContain("In 2026-06 it was 0.00 effective: +3.00.");
  });

  it("compares with nothing where no bill has the month before, and fails on one that was named and has it not", async () => {
    const { stdout } = await showback("alone", "--json");
    expect(showbackSchema.parse(JSON.parse(stdout)).mails[0]?.amounts[0]?.monthBefore).toBeNull();
    expect(mailOf("alone", "payments")).not.toContain("2026-06");
    const refused = await run("refused", "--previous", bill);
    expect(refused.exitCode).toBe(2);
    expect(refused.stdout).toContain("bill.csv has billing periods 2026-07, not 2026-06");
    expect(readdirSync(folderOf)).not.toContain("refused");
  });
});

const PYTHON = program("python3", "apt-get install python3");
const mailSchema = z.object({
  headers: z.record(z.string(), z.string()),
  defects: z.array(z.string()),
  types: z.array(z.string()),
  text: z.string(),
  html: z.string(),
  csv: z.string(),
  csvName: z.string(),
});

const READ_MAIL = `
import email, email.policy, json, sys
mail = email.message_from_binary_file(open(sys.argv[1], "rb"), policy=email.policy.default)
csv = list(mail.iter_attachments())[0]
print(json.dumps({
  "headers": {key: str(value) for key, value in mail.items()},
  "defects": [str(defect) for part in mail.walk() for defect in part.defects],
  "types": [part.get_content_type() for part in mail.walk()],
  "text": mail.get_body(("plain",)).get_content(),
  "html": mail.get_body(("html",)).get_content(),
  "csv": csv.get_payload(decode=True).decode("utf-8"),
  "csvName": csv.get_filename(),
}))`;

function readMail(file: string): z.output<typeof mailSchema> {
  const read = execFileSync("python3", ["-c", READ_MAIL, file], { encoding: "utf8", timeout: 30_000 });
  return mailSchema.parse(JSON.parse(read));
}

const CHROMIUM = program("chromium", "apt-get install chromium");

describeWith([PYTHON, CHROMIUM], "a mail of bedplate cost showback, as a mail program shows it", () => {
  it("is not wider than a phone, whatever its services are called, and has nothing that mail programs drop", async () => {
    const service = "AmazonElasticContainerServiceForKubernetesInTheNorthernRegion";
    const Tags = JSON.stringify({ team: "payments" });
    const input = write(
      "wide.csv",
      focusCsv([
        focusRow({ BilledCost: "12345.678", EffectiveCost: "12345.678", ServiceName: service, Tags }),
        focusRow({
          BilledCost: "2345.6",
          EffectiveCost: "2345.6",
          ServiceName: service,
          Tags,
          BillingPeriodStart: "2026-06-01T00:00:00Z",
          BillingPeriodEnd: "2026-07-01T00:00:00Z",
          ChargePeriodStart: "2026-06-14T00:00:00Z",
          ChargePeriodEnd: "2026-06-15T00:00:00Z",
        }),
      ]),
    );
    const folder = path.join(folderOf, "wide");
    const outcome = await costCommand(
      folderOf,
      "showback",
      "--input",
      input,
      "--folder",
      folder,
      ..."--month 2026-07 --from f@example.com".split(" "),
    );
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const [file = ""] = readdirSync(folder);
    const { html } = readMail(path.join(folder, file));
    expect(html).toContain("Moved most, USD");
    expect(html).toContain(service);
    expect(html).not.toMatch(/<(?:style|link|script|img)|class=|(?:flex|grid)|url\(/i);
    const profile = mkdtempSync(path.join(tmpdir(), "bedplate-mail-"));
    onTestFinished(() => rmSync(profile, { recursive: true, force: true }));
    await withTab(profile, `file://${write("wide.html", html)}`, async (tab) => {
      await tab.layOut(360);
      const beyond = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
      expect(await tab.evaluate(beyond)).toBe(0);
    });
  }, 120_000);
});

describeWith([PYTHON], "a mail of bedplate cost showback, as another program reads it", () => {
  it("has text, HTML and a CSV that say the team's row, and keeps a hostile name out of headers and markup", async () => {
    const { stdout } = await showback("read", "--json");
    const { mails, currencies } = showbackSchema.parse(JSON.parse(stdout));
    const cents = new Map<string, number>();
    for (const { team, file, to, amounts } of mails) {
      const mail = readMail(path.join(folderOf, "read", file));
      expect(mail.defects).toEqual([]);
      expect(mail.types).toEqual([
        "multipart/mixed",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "text/csv",
      ]);
      expect(Object.keys(mail.headers).map((name) => name.toLowerCase())).not.toContain("bcc");
      expect(mail.headers["To"]).toBe(to ?? undefined);
      expect(mail.csvName).toBe(file.replace(".eml", ".csv"));
      const rows: Record<string, string>[] = parseCsv(mail.csv, { columns: true, record_delimiter: "\r\n" });
      for (const { currency, billedRounded, effectiveRounded, effective } of amounts) {
        expect(mail.text).toContain(`${currency}: ${effectiveRounded} effective, ${billedRounded} billed`);
        expect(mail.html).toContain(`${currency}: ${effectiveRounded} effective, ${billedRounded} billed`);
        const own = rows.filter((row) => row["currency"] === currency);
        const lines = own.filter(({ section }) => section === "cost");
        const sum = lines.reduce(
          (total, row) => total + Math.round(Number(row["effective_rounded"]) * 100),
          0,
        );
        expect(sum).toBe(Math.round(Number(effectiveRounded) * 100));
        expect(own.find(({ section }) => section === "total")?.["effective"]).toBe(effective);
        cents.set(currency, (cents.get(currency) ?? 0) + sum);
      }
      if (team === HOSTILE.trim()) {
        expect(mail.html).not.toContain("<b>");
        expect(mail.html).toContain("S3 &lt;i&gt;");
        expect(rows[0]?.["team"]).toBe(`'${team}`);
      }
    }
    expect(mails.map(({ team }) => team)).toContain(HOSTILE);
    for (const { currency, balance } of currencies) {
      expect(cents.get(currency)).toBe(Math.round(Number(balance.owners.effectiveRounded) * 100));
    }
  });
});

describe("reconcile()", () => {
  it("finds a statement that is missing, one that is changed, and a sheet that does not close", async () => {
    const report = await buildCostReport({ input: bill, key: reportKey("team", undefined) });
    const statements = buildStatements(report);
    expect(reconcile(report, statements)).toEqual([]);
    expect(reconcile(report, statements.slice(1)).join()).toContain("is not the teams' part of the bill");
    const [first, ...others] = statements;
    const cut = {
      team: "x",
      ...first,
      currencies: (first?.currencies ?? []).map((one) => ({ ...one, lines: [] })),
    };
    expect(reconcile(report, [cut, ...others]).join()).toContain("are not its billed of");
    const open = report.currencies.map((one) => ({ ...one, balance: { ...one.balance, balanced: false } }));
    expect(reconcile({ ...report, currencies: open }, statements)[0]).toContain("does not close");
  });
});

describe("fileStem()", () => {
  it("never gives two teams one file, nor a path", () => {
    const taken = new Set<string>();
    for (const team of ["a", "A b", "a-b", "../../etc", "\u{1F4B8}", "\u{1F4A5}", "", "a b"]) {
      const stem = fileStem("2026-07", team, taken);
      expect(stem).toMatch(/^2026-07-[a-z0-9-]+$/);
      expect(taken).not.toContain(stem);
      taken.add(stem);
    }
  });
});
