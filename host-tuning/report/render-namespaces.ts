import type { ServiceNamespace } from "../namespaces/service-namespace.ts";
import { tint } from "./colour.ts";
import { PAGE_COLUMNS, plural, printable, renderTable, valueCell, wrap } from "./table.ts";

const COLUMNS = [
  { title: "in its namespace", maxColumns: 40 },
  { title: "in force", maxColumns: 16 },
  { title: "wanted", maxColumns: 16 },
  { title: "", maxColumns: 100 },
] as const;

/** Network namespaces of services for people: what the host's values are worth there. Empty text when there is none. */
export function renderNamespaces(
  namespaces: readonly ServiceNamespace[],
  options: { readonly all?: boolean } = {},
): string {
  return namespaces.map((namespace) => renderOne(namespace, options.all === true)).join("");
}

function renderOne(found: ServiceNamespace, all: boolean): string {
  const title = `${printable(found.services.join(", "))}${found.namespace === null ? "" : `, ${printable(found.namespace)}`}`;
  const missing = found.values.filter((value) => !value.isInForce);
  const shown = all ? found.values : missing;
  const rows = shown.map((value) => ({
    cells: [
      value.knob,
      valueCell(value.inForce),
      valueCell(value.wanted),
      value.isInForce ? "in force" : "not in force",
    ],
    note: value.because,
  }));
  const table = renderTable(COLUMNS, rows, (text, row, column) =>
    column === 3 ? tint(shown[row]?.isInForce === true ? "quiet" : "warning", text) : text,
  );
  const count = missing.length === 0 ? "" : ` (${plural(missing.length, "value")} not in force)`;
  return `\n${tint("strong", title)}${count}\n${wrap(printable(found.because), PAGE_COLUMNS).join("\n")}\n${rows.length === 0 ? "" : `\n${table}\n`}`;
}
