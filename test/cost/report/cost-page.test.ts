import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import * as z from "zod";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import type { Finding, IdleReport } from "../../../cost/idle/idle-report.ts";
import { addDecimals, formatDecimal, parseDecimal, roundDecimal } from "../../../cost/money/exact-decimal.ts";
import type { CostLine, CostReport } from "../../../cost/report/cost-report.ts";
import { labelOf } from "../../../cost/report/wording.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { renderPage } from "../../../cost/report/page/render-page.ts";
import type { CostVariance } from "../../../cost/variance/cost-variance.ts";
import { withTab } from "../../helpers/browser-tab.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { type CurRow, curCsv, generateCurMonth } from "./cur-month.ts";
import { scratchFolder } from "./scratch-folder.ts";

const write = scratchFolder();
const HOSTILE = `<script>alert(1)</script>&"'\u202E`;

function inAugust(row: CurRow): CurRow {
  const dates = {
    bill_billing_period_start_date: "2026-08-01 00:00:00",
    bill_billing_period_end_date: "2026-09-01 00:00:00",
    line_item_usage_start_date: "2026-08-02 00:00:00",
    line_item_usage_end_date: "2026-08-02 01:00:00",
  };
  return { ...row, columns: { ...row.columns, ...dates } };
}

/** Names that a column cannot be as wide as, with and without places to break. */
const NAMES: Readonly<Record<string, string>> = {
  lab: HOSTILE,
  search: "platform-engineering-and-developer-experience-of-the-northern-region",
  payments: "SearchAndRecommendationsAndPersonalisationOfEverythingThatIsSold",
};

/** Two months; a team is called by a name that would be a script, two by long ones. */
const rows = [...generateCurMonth(3, 300).rows, ...generateCurMonth(4, 400).rows.map(inAugust)].map((row) => {
  const name = NAMES[row.tags["user_team"] ?? ""];
  return name === undefined ? row : { ...row, tags: { user_team: name } };
});

const input = write("two-months.csv", curCsv(rows));

function finding(fields: Partial<Finding>): Finding {
  return {
    kind: "idle-address",
    resource: "eipalloc-1",
    account: "111",
    region: "eu-central-1",
    team: HOSTILE,
    environment: null,
    since: "2026-08-01",
    charges: { first: "2026-08-01", last: "2026-08-02", lines: 2 },
    cost: { billed: "0.24", effective: "0.24" },
    perMonth: "1203.6500001",
    perMonthRounded: "1203.65",
    currency: "USD",
    confidence: "high",
    evidence: ["AWS charges it as idle"],
    action: "release it",
    ...fields,
  };
}

const findings = [
  finding({}),
  finding({
    kind: "unattached-volume",
    resource: "vol-1",
    team: null,
    perMonth: "8",
    perMonthRounded: "8.00",
  }),
  finding({ currency: "EUR", resource: "eipalloc-2" }),
];

function idleOf({ source }: CostReport): IdleReport {
  return {
    apiVersion: "bedplate/v1",
    kind: "IdleReport",
    source: { name: source.name, sha256: source.sha256 },
    month: "2026-08",
    lastCharge: "2026-08-02T01:00:00.000Z",
    findings,
    currencies: [
      {
        currency: "USD",
        perMonth: "1211.6500001",
        perMonthRounded: "1211.65",
        cost: { billed: "100.5", effective: "100.5", lines: 2 },
        bill: { billed: "2000", effective: "2000" },
      },
    ],
    notes: [],
  };
}

/** Of two teams, one with two environments and a name that would be a script. */
function varianceOf({ source }: CostReport): CostVariance {
  const row = { variancePercent: "0.0", unpricedLines: 0, estimatedAtMost: "1.00" };
  return {
    apiVersion: "bedplate/v1",
    kind: "CostVariance",
    source: { name: source.name, sha256: source.sha256 },
    month: "2026-08",
    chargeDays: { first: "2026-08-01", last: "2026-08-02" },
    currency: "USD",
    pricesAsOf: "2026-07-20",
    rows: [
      {
        ...row,
        team: HOSTILE,
        environment: "prod",
        estimated: "1000.00",
        actual: "1234.50",
        variance: "234.50",
        budget: "1200.00",
        overBudget: "34.50",
      },
      {
        ...row,
        team: HOSTILE,
        environment: "dev",
        estimated: "10.00",
        actual: "9.50",
        variance: "-0.50",
        budget: "20.00",
        overBudget: "-10.50",
      },
      {
        ...row,
        team: "payments",
        environment: "pay",
        estimated: "0.00",
        actual: "0.00",
        variance: "0.00",
        budget: "0.00",
        overBudget: "0.00",
      },
    ],
    rest: "56.00",
    bill: "1300.00",
    notes: ["the bill has charges to 2026-08-02 only"],
  };
}

let report: CostReport;
let idle: IdleReport;
let variance: CostVariance;
let page: string;
beforeAll(async () => {
  report = await buildCostReport({ input, key: reportKey("team", undefined), resources: 20, isDaily: true });
  idle = idleOf(report);
  variance = varianceOf(report);
  page = renderPage(report, idle, variance);
});

/** Text of an element's inside, as a browser shows it. */
function shown(inside: string): string {
  return inside
    .replaceAll(/<[^>]*>/g, "")
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&")
    .trim();
}

/** Cells of the table with this caption. */
function cellsOf(caption: string, within = page): string[][] {
  const captions = [...within.matchAll(/<caption>\s*([^<]*)/g)];
  const start = captions.find(([, text = ""]) => shown(text) === caption)?.index ?? -1;
  expect(start).toBeGreaterThan(0);
  const body = within.slice(within.indexOf("<tbody>", start), within.indexOf("</tbody>", start));
  return [...body.matchAll(/<tr[^>]*>([^]*?)<\/tr>/g)].map(([, inside = ""]) =>
    [...inside.matchAll(/<t[hd][^>]*>([^]*?)<\/t[hd]>/g)].map(([, cell = ""]) => shown(cell)),
  );
}

/** A label with what a page shows for a mark that turns the direction of text. */
function shownLabel(label: string): string {
  return label.replace("\u202E", "\uFFFD");
}

/** What opens on one level: its label, what it says of it billed and effective, and what is inside. */
function openedIn(markup: string): { label: string; amounts: string[]; inside: string }[] {
  const marks = [...markup.matchAll(/<details>|<\/details>/g)];
  const found: string[] = [];
  let [depth, start] = [0, 0];
  for (const { 0: mark, index } of marks) {
    if (mark === "<details>") {
      if (depth === 0) start = index;
      depth += 1;
    } else {
      depth -= 1;
      if (depth === 0) found.push(markup.slice(start + "<details>".length, index));
    }
  }
  return found.map((text) => {
    const [summary = "", ...inside] = text.split("</summary>");
    const [, label = ""] = /<span class="name">([^]*?)<\/span/.exec(summary) ?? [];
    const amounts = [...summary.matchAll(/<span>([^<]*)<\/span/g)].map(([, amount = ""]) => plain(amount));
    return { label: shown(label), amounts, inside: inside.join("</summary>") };
  });
}

/** An amount in cents; lines and what has no price are numbers too. */
function centsOf(amount: string): bigint {
  if (amount === "unpriced") return 0n;
  return roundDecimal(parseDecimal(amount), 2).units;
}

function plain(text: string): string {
  return text.replaceAll(",", "");
}

describe("renderPage()", () => {
  it("has the report's numbers, row by row, and the balance sheet to the last digit", () => {
    const [usd] = report.currencies;
    const byRow = cellsOf("Cost by team, USD");
    expect(byRow.slice(0, -1).map((cells) => cells.slice(2, 5).map(plain))).toEqual(
      usd?.rows.map((row) => [row.listRounded ?? "unpriced", row.billedRounded, row.effectiveRounded]),
    );
    const bill = usd?.balance.bill;
    for (const [caption, amounts] of [
      ["Balance sheet", [bill?.billedRounded, bill?.effectiveRounded, bill?.listRounded]],
      ["Balance sheet to the last digit", [bill?.billed, bill?.effective, bill?.list]],
    ] as const) {
      const balance = cellsOf(`${caption}, USD`);
      expect(balance[0]?.slice(1).map(plain)).toEqual(amounts);
      expect(balance.at(-1)?.slice(1).map(Number)).toEqual([0, 0, 0]);
    }
    expect(page).toContain("The balance sheet closes: difference 0.");
  });

  it("opens each row into services, and each service into resources, that add up to it to the cent", () => {
    const [usd] = report.currencies;
    const opened = openedIn(page);
    expect(opened.map(({ label, amounts }) => [label, ...amounts])).toEqual(
      usd?.rows.map((row) => [shownLabel(labelOf(row)), row.billedRounded, row.effectiveRounded]),
    );
    let resources = 0;
    for (const { label, amounts, inside } of opened) {
      const services = openedIn(inside);
      for (const index of [0, 1]) {
        const sum = services.reduce((cents, service) => cents + centsOf(service.amounts[index] ?? ""), 0n);
        expect(sum).toBe(centsOf(amounts[index] ?? ""));
      }
      for (const service of services) {
        const cells = cellsOf(`${service.label} of ${label} by resource, USD`, inside);
        const total = cells.at(-1)?.slice(1).map(plain) ?? [];
        expect(total.slice(-2)).toEqual(service.amounts);
        const parts = cells.slice(0, -1).map((cell) => cell.slice(1).map(plain));
        expect(parts.length).toBeGreaterThan(0);
        resources += parts.length;
        for (const [index, amount] of total.entries()) {
          const sum = parts.reduce((cents, part) => cents + centsOf(part[index] ?? ""), 0n);
          expect(sum).toBe(centsOf(amount));
        }
      }
    }
    expect(resources).toBe(usd?.resources?.length);
  });

  it("has each row by day as the JSON has it, in cents that add up to the row and to the bill", () => {
    const [usd] = report.currencies;
    const cells = cellsOf("Billed cost by day, USD");
    expect(cells.map(([day]) => day).slice(0, -1)).toEqual([
      ...new Set(usd?.days?.map(({ day }) => day ?? "moved by rules")),
    ]);
    const [first] = usd?.rows ?? [];
    for (const [day, , cell = ""] of cells.slice(0, -1)) {
      const own = usd?.days?.filter((one) => one.day === day && labelOf(one) === labelOf(first ?? one)) ?? [];
      const exact = addDecimals(own.map(({ billed }) => parseDecimal(billed)));
      const difference = centsOf(plain(cell)) - roundDecimal(exact, 2).units;
      expect(difference).toBeGreaterThanOrEqual(-1n);
      expect(difference).toBeLessThanOrEqual(1n);
    }
    const columns = (cells.at(-1)?.length ?? 0) - 1;
    expect(columns).toBe(8);
    for (let column = 1; column <= columns; column += 1) {
      const sum = cells.slice(0, -1).reduce((cents, day) => cents + centsOf(plain(day[column] ?? "")), 0n);
      expect(sum).toBe(centsOf(plain(cells.at(-1)?.[column] ?? "")));
    }
    // The bill is beside the day, where the narrowest screen has it.
    expect(plain(cells.at(-1)?.[1] ?? "")).toBe(usd?.balance.bill.billedRounded);
    expect(plain(cells.at(-1)?.[2] ?? "")).toBe(first?.billedRounded);
  });

  it("shows what moved between the months, the largest change first", () => {
    const changes = cellsOf("Effective cost, 2026-07 to 2026-08, USD").map((cells) =>
      Math.abs(Number(plain(cells[3] ?? ""))),
    );
    expect(changes.length).toBeGreaterThan(3);
    expect(changes).toEqual(changes.toSorted((a, b) => b - a));
  });

  it.each([
    ["Effective", "EffectiveCost"],
    ["Billed", "BilledCost"],
    ["List", "ListCost"],
  ] as const)("has %s cost by billing period as the report's lines add up to", (name, column) => {
    const [usd] = report.currencies;
    const shownRows = cellsOf(`${name} cost by billing period, USD`);
    expect(shownRows.length).toBeGreaterThan(5);
    let unpriced = 0;
    for (const [label = "", ...months] of shownRows) {
      for (const [index, month] of ["2026-07", "2026-08"].entries()) {
        const isRow = (line: CostLine): boolean => labelOf(line).replace("\u202E", "\uFFFD") === label;
        const lines = usd?.lines.filter((line) => line.BillingMonth === month && isRow(line)) ?? [];
        const amounts = lines.flatMap((line) => line[column] ?? []).map(parseDecimal);
        const cell = months[index] ?? "";
        // What has no list price is not 0.
        if (lines.length > 0 && amounts.length === 0) {
          expect(cell).toBe("unpriced");
          unpriced += 1;
        } else {
          expect(plain(cell)).toBe(formatDecimal(roundDecimal(addDecimals(amounts), 2), 2));
        }
      }
    }
    expect(unpriced > 0).toBe(name === "List");
  });

  it("has what is not used, with its money and evidence, and none without findings", () => {
    const unused = cellsOf("Paid for and not used, USD");
    expect(unused.map((cells) => [cells[0], plain(cells[4] ?? "")])).toEqual([
      ["idle address eipalloc-1", "1203.65"],
      ["volume vol-1", "8.00"],
    ]);
    expect(unused[0]?.[5]).toBe("Since 2026-08-01: AWS charges it as idle. To do: release it.");
    expect(page).toContain("1,211.65");
    expect(renderPage(report)).not.toContain("Paid for and not used");
  });

  it("has budgets and what was spent of them, a team's environments together, and none without them", () => {
    expect(cellsOf("Budget and actual of 2026-08, USD")).toEqual([
      [
        `${HOSTILE.replace("\u202E", "\uFFFD")}: prod`,
        "1,200.00",
        "1,234.50",
        "102.9 %",
        "34.50 over",
        "1,000.00",
        "+234.50",
      ],
      [
        `${HOSTILE.replace("\u202E", "\uFFFD")}: dev`,
        "20.00",
        "9.50",
        "47.5 %",
        "10.50 left",
        "10.00",
        "-0.50",
      ],
      [
        `${HOSTILE.replace("\u202E", "\uFFFD")}, together`,
        "1,220.00",
        "1,244.00",
        "102.0 %",
        "24.00 over",
        "1,010.00",
        "+234.00",
      ],
      ["payments: pay", "0.00", "0.00", "-", "0.00 left", "0.00", "+0.00"],
      ["rest of the bill", "", "56.00", "", "", "", ""],
      ["bill", "", "1,300.00", "", "", "", ""],
    ]);
    expect(page).toContain("the bill has charges to 2026-08-02 only");
    expect(renderPage(report, idle)).not.toContain("Budget and actual");
  });

  it("never lets a tag become markup, has no script and asks for nothing", () => {
    expect(page).not.toMatch(/<script|\u202E|<(?:img|link|iframe|object)|url\(|@import/i);
    expect(page).toContain("&lt;script&gt;alert(1)&lt;/script&gt;");
    const hosts = [...page.matchAll(/https?:\/\/[^"'\s<]+/g)].map(([url]) => url);
    expect(new Set(hosts)).toEqual(new Set(["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"]));
  });

  it("is the same to the byte on repeat", () => {
    expect(renderPage(report, idle, variance)).toBe(page);
  });
});

describe("bedplate cost report --idle --variance", () => {
  const run = (file: string, format: string, ...more: string[]): Promise<Outcome> =>
    costCommand(path.dirname(input), "report", "--input", input, "--format", format, "--idle", file, ...more);

  it("puts what is said of the same bill into the page", async () => {
    const budgets = write("variance.json", JSON.stringify(variance));
    const outcome = await run(
      write("idle.json", JSON.stringify(idle)),
      "html",
      "--daily",
      "--variance",
      budgets,
    );
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "", stdout: page });
  });

  it("fails on budgets beside another bill", async () => {
    const other = { ...variance, source: { name: "x.csv", sha256: "0".repeat(64) } };
    const file = write("other-variance.json", JSON.stringify(other));
    const refused = await run(write("idle.json", JSON.stringify(idle)), "html", "--variance", file);
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain("source.sha256: is not that of two-months.csv: run cost variance on it");
  });

  it("fails on findings of another bill, on what are none, and where there is no page", async () => {
    const other = { ...idle, source: { name: "x.csv", sha256: "0".repeat(64) } };
    const refused = await run(write("other.json", JSON.stringify(other)), "html");
    expect(refused).toMatchObject({ exitCode: 2, stdout: "" });
    expect(refused.stderr).toContain("source.sha256: is not that of two-months.csv");
    expect((await run(write("none.json", "{}"), "html")).stderr).toContain("findings");
    expect((await run(write("idle.json", JSON.stringify(idle)), "csv")).stderr).toContain("--format html");
  });
});

const CHROMIUM = program("chromium", "apt-get install chromium");
const resultSchema = z.object({
  violations: z.array(z.object({ id: z.string(), nodes: z.array(z.object({ html: z.string() })) })),
  passes: z.number(),
  overflowPx: z.number(),
  shown: z.record(z.string(), z.array(z.string())),
});

describeWith([CHROMIUM], "the page in a browser", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-page-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });

  /** axe-core's findings in the page as Chromium shows it; the copy may run scripts, the page itself may not. */
  async function inspect(widthPx: number, isDark: boolean): Promise<z.output<typeof resultSchema>> {
    const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
    const script = `const shown = {};
    for (const part of document.querySelectorAll("details")) part.open = true;
    for (const input of [...document.querySelectorAll(".kinds input")].reverse()) {
      input.click();
      const kinds = [...document.querySelectorAll("[class^=of-]")].filter((part) => part.offsetHeight > 0);
      shown[input.value] = [...new Set(kinds.map((part) => part.className))];
    }
    axe.run().then((found) => {
      const result = {
        violations: found.violations.map(({ id, nodes }) => ({ id, nodes: nodes.map(({ html }) => ({ html })) })),
        passes: found.passes.length,
        shown,
        overflowPx: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      };
      const out = document.createElement("pre");
      out.id = "axe";
      out.textContent = btoa(unescape(encodeURIComponent(JSON.stringify(result))));
      document.body.append(out);
    });`;
    const copy = page
      .replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, "")
      .replace("</body>", () => `<script>${axe}</script><script>${script}</script></body>`);
    const file = write(`page-${widthPx}-${isDark ? "dark" : "light"}.html`, copy);
    const { stdout } = await promisify(execFile)(
      "chromium",
      [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        `--user-data-dir=${folder}`,
        `--window-size=${widthPx},900`,
        `--blink-settings=preferredColorScheme=${isDark ? 0 : 1}`,
        "--virtual-time-budget=20000",
        "--dump-dom",
        `file://${file}`,
      ],
      { timeout: 120_000, maxBuffer: 64 * 1024 * 1024 },
    );
    const encoded = /<pre id="axe">([^<]+)<\/pre>/.exec(stdout)?.[1] ?? "";
    return resultSchema.parse(JSON.parse(Buffer.from(encoded, "base64").toString("utf8")));
  }

  it("is walked through with the keyboard alone, from a team to its services and their resources", async () => {
    const file = write("keyboard.html", page);
    await withTab(folder, `file://${file}`, async (tab) => {
      const focused = "document.activeElement?.querySelector('.name')?.textContent.trim() ?? ''";
      const isOpen = "document.activeElement?.parentElement?.open === true";
      const [team] = openedIn(page);
      const [service] = openedIn(team?.inside ?? "");
      for (let presses = 0; presses < 100; presses += 1) {
        await tab.press("Tab");
        if ((await tab.evaluate(focused)) === team?.label) break;
      }
      expect(await tab.evaluate(focused)).toBe(team?.label);
      await tab.press("Enter");
      expect(await tab.evaluate(isOpen)).toBe(true);
      await tab.press("Tab");
      expect(await tab.evaluate(focused)).toBe(service?.label);
      expect(await tab.evaluate(isOpen)).toBe(false);
      await tab.press("Enter");
      await tab.press("Tab");
      // The table of resources takes the focus, so that it scrolls with the keyboard where it is wider than the screen.
      expect(await tab.evaluate("document.activeElement.getAttribute('aria-label')")).toBe(
        `${service?.label ?? ""} of ${team?.label ?? ""} by resource, USD`,
      );
      expect(await tab.evaluate("document.activeElement.checkVisibility()")).toBe(true);
    });
  }, 120_000);

  it.each(["effective", "billed", "list"])(
    "has nothing of %s cost beyond the edge of paper, however long names are",
    async (kind) => {
      await withTab(folder, `file://${write(`print-${kind}.html`, page)}`, async (tab) => {
        // DIN A4 without the page's margins of 14 mm.
        const widthPx = Math.floor(((210 - 2 * 14) / 25.4) * 96);
        await tab.layOutForPrint(widthPx);
        await tab.evaluate(`document.querySelector('.kinds input[value="${kind}"]').click();
          for (const part of document.querySelectorAll("details")) part.open = true;`);
        const cut = await tab.evaluate(`[...document.querySelectorAll("body *")]
          .filter((one) => one.checkVisibility() && !one.closest("svg *, .unseen"))
          .filter((one) => one.getBoundingClientRect().right > ${widthPx} + 1
            || (getComputedStyle(one).overflowX !== "visible" && one.scrollWidth > one.clientWidth + 1))
          .map((one) => one.outerHTML.slice(0, 200))`);
        expect(cut).toEqual([]);
        expect(await tab.evaluate("document.querySelectorAll('table').length")).toBeGreaterThan(20);
      });
    },
    120_000,
  );

  it("is on white paper where the screen is dark", async () => {
    await withTab(folder, `file://${write("paper.html", page)}`, async (tab) => {
      const paper = "getComputedStyle(document.body).backgroundColor";
      await tab.layOutForPrint(700, { isDark: true });
      expect(await tab.evaluate(paper)).toBe("rgb(255, 255, 255)");
    });
  }, 120_000);

  it.each([
    [500, false],
    [820, false],
    [1400, false],
    [500, true],
    [820, true],
    [1400, true],
  ])(
    "has no accessibility fault and no sideways scrolling at %i px, dark: %s",
    async (widthPx, isDark) => {
      const result = await inspect(widthPx, isDark);
      expect(result.violations).toEqual([]);
      expect(result.passes).toBeGreaterThan(15);
      expect(result.overflowPx).toBe(0);
      expect(result.shown).toEqual({ effective: ["of-effective"], billed: ["of-billed"], list: ["of-list"] });
    },
    150_000,
  );
});
