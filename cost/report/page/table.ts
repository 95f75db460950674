import { type ExactDecimal, formatDecimal, roundDecimal } from "../../money/exact-decimal.ts";
import type { CurrencyReport } from "../cost-report.ts";
import { html, Html } from "./html.ts";

/** "-1234567.50" as "-1,234,567.50"; exact, as it stays text. */
export function amountText(amount: string): string {
  const [whole = "", fraction] = amount.split(".");
  const grouped = whole.replaceAll(/\B(?=(\d{3})+$)/g, ",");
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

export function rounded(amount: ExactDecimal, currency: Pick<CurrencyReport, "minorDigits">): string {
  return amountText(formatDecimal(roundDecimal(amount, currency.minorDigits), currency.minorDigits));
}

export function signed(text: string): string {
  return text.startsWith("-") ? text : `+${text}`;
}

export interface Column {
  readonly head: string;
  readonly isNumber?: true;
  /** Few words that are never broken. */
  readonly isShort?: true;
}

export function table(caption: string, columns: readonly Column[], rows: readonly Html[]): Html {
  const heads = columns.map(({ head, isNumber, isShort }) =>
    isNumber === true || isShort === true
      ? html`<th scope="col" class="${isNumber === true ? "number" : "short"}">${head}</th>`
      : html`<th scope="col">${head}</th>`,
  );
  return html`<div class="wide" tabindex="0" role="region" aria-label="${caption}">
    <table>
      <caption>
        ${caption}
      </caption>
      <thead>
        <tr>
          ${heads}
        </tr>
      </thead>
      <tbody>
        ${rows}
      </tbody>
    </table>
  </div>`;
}

export function row(label: string, cells: readonly string[], isTotal = false): Html {
  const numbers = cells.map((cell) => html`<td class="number">${cell}</td>`);
  const open = isTotal ? new Html('<tr class="total">') : new Html("<tr>");
  return html`${open}<th scope="row">${label}</th>${numbers}</tr>`;
}

export function number(head: string): Column {
  return { head, isNumber: true };
}

export function percentText(percent: string | null): string {
  return percent === null ? "-" : `${percent} %`;
}
