import * as z from "zod";
import type { Place, PlacedLine } from "../allocation/placed-line.ts";
import type { BillQueries } from "./bill-database.ts";
import type { ResourceCost } from "./cost-report.ts";
import { exactText, movedCostsOf, placeName } from "./placed-costs.ts";
import { type PlacedBy, renderResourcesSql, type SqlSettings } from "./render-sql.ts";
import { countSchema, decimalSchema, type SplitLine } from "./split-bill.ts";

const resourceSchema = z.object({
  currency: z.string(),
  place: z.coerce.number().int(),
  provider_service: z.string(),
  resource_id: z.string().nullable(),
  is_other: z.boolean(),
  resource_count: countSchema,
  line_count: countSchema,
  unlisted_count: countSchema,
  billed: decimalSchema,
  effective: decimalSchema,
  list: decimalSchema,
});

type ResourceLine = z.output<typeof resourceSchema>;

/** What is asked of a bill that was split. */
export interface ResourcesArgs {
  readonly settings: SqlSettings;
  readonly split: readonly SplitLine[];
  /** Where each line of the split is. */
  readonly places: readonly Place[];
  /** Resources of a place and provider service that are named. */
  readonly most: number;
}

/** A currency's resources, with what was moved to and from their places. */
export type ReadResources = (currency: string, placed: readonly PlacedLine[]) => readonly ResourceCost[];

function partOf({ is_other: isOther, resource_id: id }: ResourceLine): ResourceCost["part"] {
  if (isOther) return "others";
  return id === null ? "no-resource" : "resource";
}

/** Which places there are, and by what a line of the bill is in which of them. */
function numberPlaces({ split, places }: Pick<ResourcesArgs, "split" | "places">): {
  readonly numbered: readonly Place[];
  readonly rows: readonly (readonly [PlacedBy, number])[];
} {
  const numberOf = new Map<string, number>();
  const numbered: Place[] = [];
  const rows = new Map<string, readonly [PlacedBy, number]>();
  for (const [index, line] of split.entries()) {
    const place = places[index];
    if (place === undefined) throw new RangeError("A line of the bill has no place");
    const name = placeName(place);
    const number = numberOf.get(name) ?? numbered.length;
    if (number === numbered.length) {
      numberOf.set(name, number);
      numbered.push(place);
    }
    const { bucket, owner, because, rules } = line;
    rows.set(JSON.stringify([bucket, owner, because, rules]), [{ bucket, owner, because, rules }, number]);
  }
  return { numbered, rows: [...rows.values()] };
}

/**
 * Adds the bill up once more, by single resources, in the places where the report has its lines: what a place's lines
 * are, its resources are, to the last digit.
 */
export async function readResources(database: BillQueries, args: ResourcesArgs): Promise<ReadResources> {
  const { numbered, rows } = numberPlaces(args);
  const lines =
    rows.length === 0
      ? []
      : z
          .array(resourceSchema)
          .parse(await database.rows(renderResourcesSql(args.settings, rows, args.most)));
  return (currency, placed) => [
    ...lines
      .filter((line) => line.currency === currency)
      .map((line): ResourceCost => {
        const place = numbered[line.place];
        if (place === undefined) throw new RangeError(`There is no place ${line.place}`);
        const { billed, effective, list } = line;
        return {
          bucket: place.bucket,
          owner: place.owner,
          because: place.because,
          ServiceName: line.provider_service,
          part: partOf(line),
          ResourceId: line.resource_id,
          resources: line.resource_count,
          allocation: null,
          lines: line.line_count,
          ...exactText({
            amounts: { billed, effective, list },
            lines: line.line_count,
            unlistedLines: line.unlisted_count,
          }),
        };
      }),
    ...movedCostsOf(placed),
  ];
}
