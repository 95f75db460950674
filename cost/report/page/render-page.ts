import { readFileSync } from "node:fs";
import type { IdleReport } from "../../idle/idle-report.ts";
import type { CostVariance } from "../../variance/cost-variance.ts";
import type { CostReport, CurrencyReport } from "../cost-report.ts";
import { filesText, keyText, periodText } from "../wording.ts";
import { balanceSheet } from "./balance-section.ts";
import { budgets } from "./budgets.ts";
import { commitments, nodes, sharedOut } from "./commitments-and-nodes.ts";
import { drillDown } from "./drill-down.ts";
import { html, Html, NOTHING } from "./html.ts";
import { movers, overTime } from "./over-time.ts";
import { cards, overview } from "./overview.ts";
import { unused } from "./unused.ts";

function currencySection(
  report: CostReport,
  currency: CurrencyReport,
  idle: IdleReport | undefined,
  variance: CostVariance | undefined,
): Html {
  const { chargeDays } = currency;
  return html`<section aria-label="${currency.currency}">
    <p>
      ${currency.currency}, billing period ${periodText(currency)}, charges of ${chargeDays.first} to
      ${chargeDays.last}
    </p>
    ${cards(report, currency)} ${overview(report, currency)} ${budgets(variance, currency)}
    ${overTime(report, currency)} ${movers(report, currency)} ${drillDown(report, currency)}
    ${sharedOut(currency)} ${commitments(currency)} ${nodes(currency)} ${unused(idle, currency)}
    ${balanceSheet(report, currency)}
  </section>`;
}

/**
 * The report as one page that needs nothing else: no script, no network, no font. The same numbers as the JSON, exact
 * where a table has them; charts are pictures of them.
 *
 * @param idle what `cost idle` found in the same bill
 * @param variance what `cost variance` says of environments in the same bill
 */
export function renderPage(report: CostReport, idle?: IdleReport, variance?: CostVariance): string {
  const css = readFileSync(new URL("./page.css", import.meta.url), "utf8");
  const { source } = report;
  const notes = report.notes.map((note) => html`<li>${note}</li>`);
  const title = `Cost by ${keyText(report)}`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>${title}</title>
        <style>
          ${new Html(css)}
        </style>
      </head>
      <body>
        <header>
          <h1>${title}</h1>
        </header>
        <main>
          ${report.currencies.map((currency) => currencySection(report, currency, idle, variance))}
          ${
            notes.length === 0
              ? NOTHING
              : html`<h2>Notes</h2>
                  <ul>
                    ${notes}
                  </ul>`
          }
        </main>
        <footer>
          ${source.name}: ${source.standard} ${source.version}, ${filesText(report)}${source.lines} lines,
          sha256 ${source.sha256}
        </footer>
      </body>
    </html> `.text;
}
