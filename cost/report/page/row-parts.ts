import { formatDecimal, parseDecimal, roundToTotal, ZERO } from "../../money/exact-decimal.ts";
import type { CurrencyReport, ReportRow, ResourceCost } from "../cost-report.ts";
import { placeName } from "../placed-costs.ts";
import { labelOf } from "../wording.ts";
import { type ServiceCost, servicesOf } from "./owner-months.ts";

/** A part of a provider service in a row, in the currency's smallest unit. */
export type ResourcePart = Omit<ServiceCost, "service" | "name"> & { readonly label: string };

/** A provider service in a row, with its resources where the report has them. */
export interface ServicePart extends ServiceCost {
  readonly resources: readonly ResourcePart[];
}

export interface RowParts {
  readonly row: ReportRow;
  readonly label: string;
  readonly services: readonly ServicePart[];
}

const PART_LABELS: Readonly<Record<ResourceCost["part"], (one: ResourceCost) => string>> = {
  resource: ({ ResourceId }) => ResourceId ?? "",
  others: ({ resources }) => (resources === 1 ? "1 other resource" : `${resources} other resources`),
  "no-resource": () => "charges of no resource",
  moved: ({ allocation }) => `moved: ${allocation ?? ""}`,
};

/** Resources in the report's order, the dearest first; rounded so that they add up to their service. */
function resourcesOf(
  resources: readonly ResourceCost[],
  service: ServiceCost,
  minorDigits: number,
): readonly ResourcePart[] {
  const round = (measure: "billed" | "effective" | "list"): readonly string[] => {
    const amounts = resources.map((one) => (one[measure] === null ? ZERO : parseDecimal(one[measure])));
    const total = service[measure];
    if (total === null) return amounts.map((amount) => formatDecimal(amount, minorDigits));
    return roundToTotal(amounts, minorDigits, parseDecimal(total)).map((amount) =>
      formatDecimal(amount, minorDigits),
    );
  };
  const [billed, effective, list] = [round("billed"), round("effective"), round("list")];
  return resources.map((one, index) => ({
    label: PART_LABELS[one.part](one),
    lines: one.lines,
    billed: billed[index] ?? "",
    effective: effective[index] ?? "",
    list: one.list === null ? null : (list[index] ?? null),
  }));
}

/** Every row of the report by provider service, and each service by resource: every level adds up to the one above. */
export function rowPartsOf({ rows, lines, resources, minorDigits }: CurrencyReport): readonly RowParts[] {
  const linesOf = Map.groupBy(lines, placeName);
  const resourcesIn = Map.groupBy(resources ?? [], (one) => `${placeName(one)} ${one.ServiceName}`);
  return rows.map((row) => {
    const label = labelOf(row);
    const place = placeName(row);
    const services = servicesOf(linesOf.get(place) ?? [], row, minorDigits).map((service): ServicePart => ({
      ...service,
      resources: resourcesOf(resourcesIn.get(`${place} ${service.name}`) ?? [], service, minorDigits),
    }));
    return { row, label, services };
  });
}
