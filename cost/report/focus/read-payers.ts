import * as z from "zod";
import { InputError } from "../../../host-tuning/errors.ts";
import type { BillDatabase } from "../bill-database.ts";
import type { Bill } from "../bill-file.ts";
import { curColumnName } from "../cur-columns.ts";
import { type FileLayout, type OpenBill, textOrNull } from "../read-bill.ts";
import { SERVICE_CATEGORIES } from "./service-categories.ts";

/** Who bills a service's charges to which account, as the bill's lines of that service say. */
export interface Payer {
  readonly billingAccountId: string;
  readonly billingAccountName: string | null;
  readonly invoiceIssuer: string;
  readonly provider: string;
  readonly publisher: string;
  readonly hostProvider: string;
  readonly serviceCategory: string;
}

/** By the provider's name of the service; under `undefined` for charges of none that the bill names. */
export type Payers = ReadonlyMap<string | undefined, Payer>;

export interface BilledBy {
  readonly payers: Payers;
  /** Whether the bill has negotiated prices beside list prices. */
  readonly hasContracted: boolean;
}

/** Names of what is read, each with the columns that may have it, the best first. */
export type Columns = Readonly<Record<string, readonly string[]>>;

/** What is read, by the names that a FOCUS bill has for it, the best first. */
const FOCUS: Columns = {
  service: ["ServiceName"],
  account: ["BillingAccountId"],
  account_name: ["BillingAccountName"],
  issuer: ["InvoiceIssuerName"],
  provider: ["ServiceProviderName", "ProviderName"],
  publisher: ["PublisherName", "ServiceProviderName", "ProviderName"],
  host: ["HostProviderName", "ServiceProviderName", "ProviderName"],
  category: ["ServiceCategory"],
};

/** The same in a Cost and Usage Report, which has no categories. */
const CUR: Columns = {
  service: ["product_product_name", "line_item_product_code"],
  account: ["bill_payer_account_id"],
  account_name: ["bill_payer_account_name"],
  issuer: ["bill_invoicing_entity", "bill_billing_entity"],
  provider: ["bill_billing_entity"],
  publisher: ["bill_billing_entity"],
  host: ["bill_billing_entity"],
  category: [],
};

const lineSchema = z.object({
  service: z.string().nullable(),
  account: z.string().nullable(),
  account_name: z.string().nullable(),
  issuer: z.string().nullable(),
  provider: z.string().nullable(),
  publisher: z.string().nullable(),
  host: z.string().nullable(),
  category: z.string().nullable(),
  lines: z.coerce.number(),
});

type Line = z.output<typeof lineSchema>;

/** Counts the lines that are alike in `columns`, each the first of its names that is there and has a value. */
export function countSql({ kind, table }: FileLayout, columns: Columns): string {
  const spelled = (name: string): string =>
    kind.standard === "CUR" ? curColumnName(name) : name.toLowerCase();
  const inFile = new Map(table.names.map((name) => [spelled(name), name]));
  const selected = Object.entries(columns).map(([as, names]) => {
    const values = names.flatMap((name) => {
      const found = inFile.get(spelled(name));
      return found === undefined ? [] : [textOrNull(table.text(found))];
    });
    return `coalesce(${[...values, "cast(null as varchar)"].join(", ")}) as ${as}`;
  });
  return `select ${selected.join(", ")}, count(*) as lines from ${table.strict} group by all`;
}

/** The value that most lines have; of equally many the first by its text. */
export function mostCommon<L extends { readonly lines: number }>(
  lines: readonly L[],
  pick: (line: L) => string | null,
): string | undefined {
  const byValue = Map.groupBy(lines, pick);
  const counted = [...byValue].flatMap(([value, same]) =>
    value === null ? [] : [{ value, count: same.reduce((sum, line) => sum + line.lines, 0) }],
  );
  return counted.toSorted((a, b) => b.count - a.count || (a.value < b.value ? -1 : 1))[0]?.value;
}

/** FOCUS has a value where nobody is named: a charge as tax need not have a host. */
const NOBODY = "Not Applicable";

function payerOf(lines: readonly Line[], billingAccountId: string): Payer {
  const category = mostCommon(lines, (line) => line.category);
  const provider = mostCommon(lines, (line) => line.provider) ?? NOBODY;
  return {
    billingAccountId,
    billingAccountName: mostCommon(lines, (line) => line.account_name) ?? null,
    invoiceIssuer: mostCommon(lines, (line) => line.issuer) ?? provider,
    provider,
    publisher: mostCommon(lines, (line) => line.publisher) ?? NOBODY,
    hostProvider: mostCommon(lines, (line) => line.host) ?? NOBODY,
    serviceCategory: category !== undefined && SERVICE_CATEGORIES.has(category) ? category : "Other",
  };
}

/**
 * Who bills each service of a bill to which account: what FOCUS asks of every row, and a split by owner has lost.
 *
 * @throws {InputError} when the bill names no billing account, or several for one service
 */
export async function readPayers(
  database: BillDatabase,
  bill: Bill,
  { layouts, kind }: OpenBill,
): Promise<BilledBy> {
  const lines: Line[] = [];
  for (const layout of layouts) {
    const sql = countSql(layout, kind.standard === "CUR" ? CUR : FOCUS);
    lines.push(...z.array(lineSchema).parse(await database.rows(sql)));
  }
  const column = kind.standard === "CUR" ? "bill_payer_account_id" : "BillingAccountId";
  const payers = new Map<string | undefined, Payer>();
  const accountsOf = (some: readonly Line[]): readonly string[] =>
    [...new Set(some.flatMap(({ account }) => account ?? []))].toSorted();
  if (accountsOf(lines).length === 0) {
    throw new InputError(bill.source, [
      { path: column, message: "no line has a billing account, and FOCUS asks every row for one" },
    ]);
  }
  const faults = [...Map.groupBy(lines, ({ service }) => service ?? undefined)].flatMap(([service, same]) => {
    const own = accountsOf(same);
    const [account, ...others] = own.length === 0 ? accountsOf(lines) : own;
    if (account !== undefined && others.length === 0) {
      payers.set(service, payerOf(same, account));
      return [];
    }
    const of = service === undefined ? "charges of no service" : service;
    const message = `${of} is billed to ${[account, ...others].join(", ")}: FOCUS wants one account a row, so give each account's bill alone`;
    return [{ path: column, message }];
  });
  if (faults.length > 0) throw new InputError(bill.source, faults);
  const [only, ...more] = accountsOf(lines);
  if (only !== undefined && more.length === 0 && !payers.has(undefined)) {
    payers.set(undefined, { ...payerOf(lines, only), serviceCategory: "Other" });
  }
  const hasContracted =
    kind.standard === "FOCUS" &&
    layouts.every(({ table }) => table.names.some((name) => name.toLowerCase() === "contractedcost"));
  return { payers, hasContracted };
}
