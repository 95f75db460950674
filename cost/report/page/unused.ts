import { type IdleReport, KIND_TEXT } from "../../idle/idle-report.ts";
import type { CurrencyReport } from "../cost-report.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { amountText, type Column, number, table } from "./table.ts";

/** What is paid for and not used, as `cost idle` found it in the same bill. */
export function unused(idle: IdleReport | undefined, { currency }: CurrencyReport): Html {
  if (idle === undefined) return NOTHING;
  const own = idle.findings.filter((finding) => finding.currency === currency);
  const total = idle.currencies.find((one) => one.currency === currency);
  if (own.length === 0 || total === undefined) {
    return html`<h2>Paid for and not used</h2>
      <p>Nothing was found in ${currency}.</p>`;
  }
  const rows = own.map(
    (one) =>
      html`<tr>
        <th scope="row">${KIND_TEXT[one.kind]} ${one.resource}</th>
        <td class="short">${one.region ?? "-"}</td>
        <td class="words">${one.team ?? "no team"}</td>
        <td class="short">${one.confidence}</td>
        <td class="number">${amountText(one.perMonthRounded)}</td>
        <td class="prose">Since ${one.since}: ${one.evidence.join("; ")}. To do: ${one.action}.</td>
      </tr>`,
  );
  const columns: readonly Column[] = [
    { head: "what" },
    { head: "region", isShort: true },
    { head: "team", isShort: true },
    { head: "confidence", isShort: true },
    number("per month"),
    { head: "evidence, and what to do" },
  ];
  return html`<h2>Paid for and not used</h2>
    <p class="soft">
      Resources together ${amountText(total.perMonthRounded)} ${currency} an average month, at the rate of
      ${idle.month}; an environment's cost includes its resources' and is not in it.
    </p>
    ${table(`Paid for and not used, ${currency}`, columns, rows)}`;
}
