import { compareDecimals, parseDecimal } from "../../money/exact-decimal.ts";
import type { CostReport, CurrencyReport } from "../cost-report.ts";
import { html, type Html, NOTHING } from "./html.ts";
import { type ResourcePart, type RowParts, rowPartsOf, type ServicePart } from "./row-parts.ts";
import { amountText, number, row, table } from "./table.ts";

/** Services of all rows that open into their resources, the dearest: what a page can hold and a reader looks at. */
const MOST_OPENED = 300;

/** What is shown of every part, and in the same place of every level. */
interface Amounts {
  readonly billed: string;
  readonly effective: string;
}

/** A line that opens: its name and, at the right edge of every level, its amounts. */
function opened(label: string, { billed, effective }: Amounts, content: Html): Html {
  return html`<details>
    <summary>
      <span class="name">${label}</span>
      <span class="amounts"
        ><span class="unseen">, billed </span><span>${amountText(billed)}</span
        ><span class="unseen">, effective </span><span>${amountText(effective)}</span></span
      >
    </summary>
    <div class="inside">${content}</div>
  </details>`;
}

/** Tables of the parts of one thing, all with the same columns. */
function partsTable(
  caption: string,
  head: string,
  isListed: boolean,
  parts: readonly ResourcePart[],
  total?: ResourcePart,
): Html {
  const cells = ({ lines, list, billed, effective }: ResourcePart): readonly string[] => [
    amountText(String(lines)),
    ...(isListed ? [list === null ? "unpriced" : amountText(list)] : []),
    amountText(billed),
    amountText(effective),
  ];
  const heads = ["lines", ...(isListed ? ["list"] : []), "billed", "effective"];
  return table(
    caption,
    [{ head }, ...heads.map(number)],
    [
      ...parts.map((part) => row(part.label, cells(part))),
      ...(total === undefined ? [] : [row(total.label, cells(total), true)]),
    ],
  );
}

function asPart(service: ServicePart): ResourcePart {
  return { ...service, label: service.service };
}

function servicesOfRow(
  { label, services }: RowParts,
  { currency, balance }: CurrencyReport,
  opens: ReadonlySet<ServicePart>,
): Html {
  const isListed = balance.bill.listRounded !== null;
  const rest = services.filter((service) => !opens.has(service)).map(asPart);
  const byResource = services
    .filter((service) => opens.has(service))
    .map((service) =>
      opened(
        service.service,
        service,
        partsTable(
          `${service.service} of ${label} by resource, ${currency}`,
          "resource",
          isListed,
          service.resources,
          asPart(service),
        ),
      ),
    );
  return html`${byResource}
  ${
    rest.length === 0
      ? NOTHING
      : partsTable(
          `${label} by ${byResource.length === 0 ? "" : "other "}provider service, ${currency}`,
          "provider service",
          isListed,
          rest,
        )
  }`;
}

/** The services that open: all that have resources, or the dearest of them. */
function servicesThatOpen(rows: readonly RowParts[]): ReadonlySet<ServicePart> {
  const all = rows.flatMap(({ services }) => services.filter(({ resources }) => resources.length > 0));
  const dearest = all.toSorted((a, b) =>
    compareDecimals(parseDecimal(b.effective), parseDecimal(a.effective)),
  );
  return new Set(dearest.slice(0, MOST_OPENED));
}

/** Rows that open into provider services, and those into resources. */
export function drillDown({ by }: CostReport, currency: CurrencyReport): Html {
  const rows = rowPartsOf(currency);
  const opens = servicesThatOpen(rows);
  const items = rows.map((one) =>
    opened(
      one.label,
      { billed: one.row.billedRounded, effective: one.row.effectiveRounded },
      servicesOfRow(one, currency, opens),
    ),
  );
  return html`<h2>What each ${by} is made of</h2>
    <p class="soft">
      Open a ${by} for its provider
      services${currency.resources === null ? "" : ", and a service for its resources: the dearest by name, all others as one"}.
      Every level adds up to the one above it; what is open is printed. In ${currency.currency}.
    </p>
    <div class="tree">
      <p class="amounts" aria-hidden="true"><span>billed</span><span>effective</span></p>
      ${items}
    </div>`;
}
