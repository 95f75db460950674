import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import * as z from "zod";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";

/**
 * The facts about EC2 instance types that the estimate and the selection of hosts rest on: committed, dated, and read
 * without a network. `tools/build-catalogue.ts` writes the file; nobody edits it by hand, which its digest checks.
 */

const FILE = new URL("./ec2-us-east-1.json", import.meta.url);

/** The columns of one row, in order. A column that a type lacks is null. */
export const CATALOGUE_COLUMNS = [
  "type",
  "architecture",
  "vcpus",
  "memoryMiB",
  "bareMetal",
  "hypervisor",
  "cpuManufacturer",
  "clockMHz",
  "networkMbitPerSec",
  "ebsMbitPerSec",
  "nvmeGB",
  "efaInterfaces",
  "networkCards",
  "maxNetworkInterfaces",
  "encryptsInTransit",
  "gpu",
  "accelerator",
  "onDemandPerHour",
  "cpu",
  "settableCpu",
  "disks",
  "cards",
  "enaExpress",
  "clusterPlacement",
  "usageClasses",
] as const;

const count = z.int().min(0);
const isoDate = z.iso.date();

/** Money per hour as text: decimal digits only, so that no float ever holds it. */
const decimalAmount = z
  .string()
  .regex(/^\d{1,9}\.\d{1,12}$/, 'a decimal amount as in "0.025500"')
  .refine((amount) => /[1-9]/.test(amount), 'a price above zero; a type without a price has null, never "0"');

const rowSchema = z.tuple([
  z.string().regex(/^[a-z][a-z0-9-]*\.[a-z0-9-]+$/, "an instance type as in c7i.large"),
  z.enum(["x86_64", "arm64"]),
  z.int().min(1),
  z.int().min(1),
  z.boolean(),
  z.enum(["nitro", "xen"]).nullable(),
  z.enum(["intel", "amd", "aws"]),
  count.nullable(),
  count.nullable(),
  count.nullable(),
  count,
  count,
  count.nullable(),
  count.nullable(),
  z.boolean(),
  z.tuple([z.string().min(1), z.string().min(1), count, z.int().min(1)]).nullable(),
  z.tuple([z.string().min(1), z.int().min(1)]).nullable(),
  decimalAmount.nullable(),
  z.tuple([z.int().min(1), z.int().min(1)]).nullable(),
  z.tuple([z.array(z.int().min(1)).min(1), z.array(z.int().min(1)).min(1)]).nullable(),
  z.tuple([count, count, z.enum(["nvme", "ssd", "hdd", "none"])]).nullable(),
  z.array(z.tuple([z.int().min(1), z.int().min(1), z.boolean()])).nullable(),
  z.boolean().nullable(),
  z.boolean().nullable(),
  z.array(z.enum(["spot", "capacity-block"])).nullable(),
]);

export const catalogueFileSchema = z
  .strictObject({
    source: z.string().min(1),
    licence: z.string().min(1),
    specsAsOf: isoDate,
    describedBy: z.string().min(1),
    describedAsOf: isoDate,
    pricesAsOf: isoDate,
    region: z.string().min(1),
    currency: z.string().regex(/^[A-Z]{3}$/, "a currency code as in USD"),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, "64 hexadecimal digits"),
    columns: z
      .array(z.string())
      .refine(
        (columns) => columns.join() === CATALOGUE_COLUMNS.join(),
        `the columns ${CATALOGUE_COLUMNS.join(", ")}`,
      ),
    rows: z.array(rowSchema).min(1),
  })
  .superRefine((file, context) => {
    const seen = new Map<string, number>();
    for (const [index, row] of file.rows.entries()) {
      const first = seen.get(row[0]);
      if (first === undefined) seen.set(row[0], index);
      else {
        context.addIssue({
          code: "custom",
          path: ["rows", index, 0],
          message: `"${row[0]}" is rows[${first}] already`,
        });
      }
    }
  });

export type CatalogueRow = z.output<typeof rowSchema>;
export type CatalogueFile = z.output<typeof catalogueFileSchema>;

/** A price with all that makes it one, or the reason there is none. A missing price is never 0. */
export type Price =
  | {
      readonly kind: "priced";
      /** Decimal text, in `currency` per `unit`. */
      readonly amount: string;
      readonly currency: string;
      readonly unit: "hour";
      readonly region: string;
      readonly asOf: string;
      readonly source: string;
    }
  | {
      readonly kind: "unpriced";
      readonly because: string;
      /** A price of another region: it orders types among each other and is charged to nobody. */
      readonly elsewhere?: { readonly amount: string; readonly currency: string; readonly region: string };
    };

/** GPUs of one model. `count` is 0 where the instance has a fraction of one GPU (g6f, gr6f). */
export interface GpuSpec {
  readonly model: string;
  readonly manufacturer: string;
  readonly count: number;
  /** Memory of one GPU, or of the fraction. */
  readonly memoryMiB: number;
}

/** Cores and threads as the type boots, and what CPU options may make of them. */
export interface CpuLayout {
  readonly cores: number;
  readonly threadsPerCore: number;
  /** Undefined where CPU options are refused: on bare metal and on HPC types. */
  readonly settable?: { readonly cores: readonly number[]; readonly threadsPerCore: readonly number[] };
}

/** Instance-store disks, all alike. */
export interface LocalDisks {
  readonly count: number;
  readonly sizeGB: number;
  readonly kind: "nvme" | "ssd" | "hdd" | "none";
}

export interface NetworkCard {
  readonly maxInterfaces: number;
  readonly carriesEfa: boolean;
}

/** One instance type. What the source does not say is undefined, never 0. */
export interface InstanceType {
  readonly type: string;
  /** What stands before the dot: `c7i` of `c7i.metal-24xl`. */
  readonly family: string;
  readonly architecture: "x86_64" | "arm64";
  readonly vcpus: number;
  readonly memoryMiB: number;
  readonly bareMetal: boolean;
  readonly hypervisor?: "nitro" | "xen";
  readonly cpuManufacturer: "intel" | "amd" | "aws";
  readonly clockMHz?: number;
  readonly networkMbitPerSec?: number;
  readonly ebsMbitPerSec?: number;
  /** Local instance-store NVMe in total; 0 is none. */
  readonly nvmeGB: number;
  readonly efaInterfaces: number;
  readonly networkCards?: number;
  /** Each card, by its index. A card that carries EFA carries one EFA interface. */
  readonly cards?: readonly NetworkCard[];
  readonly maxNetworkInterfaces?: number;
  readonly enaExpress?: boolean;
  readonly cpu?: CpuLayout;
  readonly disks?: LocalDisks;
  readonly clusterPlacement?: boolean;
  /** How it is sold beside on demand. */
  readonly usageClasses?: readonly ("spot" | "capacity-block")[];
  readonly encryptsInTransit: boolean;
  readonly gpus: readonly GpuSpec[];
  readonly accelerators: readonly { readonly model: string; readonly count: number }[];
  /** Why it cannot be had although it once had a price: EC2 itself did not list it. */
  readonly unlisted?: string;
  /** Zones in which EC2 offers it, among those that were asked about; undefined where nobody asked. */
  readonly zones?: readonly string[];
  readonly price: Price;
}

export interface Catalogue {
  /** The region that was asked for. */
  readonly region: string;
  /** The region whose prices the catalogue has. */
  readonly pricesOf: string;
  readonly source: string;
  readonly licence: string;
  readonly specsAsOf: string;
  readonly describedBy: string;
  readonly describedAsOf: string;
  readonly pricesAsOf: string;
  readonly currency: string;
  /** Zones of the subnets that hosts may stand in, where the account was asked. */
  readonly zones?: readonly string[];
  readonly instanceTypes: readonly InstanceType[];
}

/** Digest of the facts, over exactly what a reader of the file gets: the columns and the rows. */
export function catalogueDigest(columns: readonly string[], rows: readonly unknown[]): string {
  return createHash("sha256")
    .update(JSON.stringify([columns, rows]))
    .digest("hex");
}

/** The file's text: a header and one line per type, so that a refresh reads well in a diff. */
export function renderCatalogue(
  header: Omit<CatalogueFile, "sha256" | "columns" | "rows">,
  unsorted: readonly CatalogueRow[],
): string {
  const rows = unsorted.toSorted((a, b) => (a[0] < b[0] ? -1 : Number(a[0] > b[0])));
  const sha256 = catalogueDigest(CATALOGUE_COLUMNS, rows);
  const headerLines = Object.entries({ ...header, sha256, columns: CATALOGUE_COLUMNS }).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)},\n`,
  );
  return `{\n${headerLines.join("")}"rows": [\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n}\n`;
}

function priceOf(file: CatalogueFile, row: CatalogueRow, region: string): Price {
  const amount = row[17];
  if (region !== file.region) {
    return {
      kind: "unpriced",
      because: `the catalogue has prices of ${file.region} only, none of ${region}`,
      ...(amount === null ? {} : { elsewhere: { amount, currency: file.currency, region: file.region } }),
    };
  }
  if (amount === null) {
    return { kind: "unpriced", because: `the source has no on-demand price of ${row[0]} in ${file.region}` };
  }
  return {
    kind: "priced",
    amount,
    currency: file.currency,
    unit: "hour",
    region: file.region,
    asOf: file.pricesAsOf,
    source: file.source,
  };
}

/** What the columns of the API say; without them nothing is said. */
function describedOf(row: CatalogueRow): Partial<InstanceType> {
  const [cpu, settable, disks, cards, enaExpress, clusterPlacement, usageClasses] = row.slice(18) as [
    CatalogueRow[18],
    CatalogueRow[19],
    CatalogueRow[20],
    CatalogueRow[21],
    CatalogueRow[22],
    CatalogueRow[23],
    CatalogueRow[24],
  ];
  return {
    ...(cpu === null
      ? {}
      : {
          cpu: {
            cores: cpu[0],
            threadsPerCore: cpu[1],
            ...(settable === null ? {} : { settable: { cores: settable[0], threadsPerCore: settable[1] } }),
          },
        }),
    ...(disks === null ? {} : { disks: { count: disks[0], sizeGB: disks[1], kind: disks[2] } }),
    ...(cards === null
      ? {}
      : {
          cards: cards.flatMap(([count, maxInterfaces, carriesEfa]) =>
            Array.from({ length: count }, () => ({ maxInterfaces, carriesEfa })),
          ),
        }),
    ...(enaExpress === null ? {} : { enaExpress }),
    ...(clusterPlacement === null ? {} : { clusterPlacement }),
    ...(usageClasses === null ? {} : { usageClasses }),
  };
}

function instanceTypeOf(file: CatalogueFile, row: CatalogueRow, region: string): InstanceType {
  const [type, architecture, vcpus, memoryMiB, bareMetal, hypervisor, cpuManufacturer, ...rest] = row;
  const [clockMHz, networkMbitPerSec, ebsMbitPerSec, nvmeGB, efaInterfaces, networkCards, ...others] = rest;
  const [maxNetworkInterfaces, encryptsInTransit, gpu, accelerator] = others;
  const described = describedOf(row);
  const unlisted = row[18] === null ? { unlisted: `was not on EC2's own list of ${file.describedAsOf}` } : {};
  return {
    type,
    family: type.slice(0, type.indexOf(".")),
    architecture,
    vcpus,
    memoryMiB,
    bareMetal,
    ...(hypervisor === null ? {} : { hypervisor }),
    cpuManufacturer,
    ...(clockMHz === null ? {} : { clockMHz }),
    ...(networkMbitPerSec === null ? {} : { networkMbitPerSec }),
    ...(ebsMbitPerSec === null ? {} : { ebsMbitPerSec }),
    nvmeGB,
    efaInterfaces,
    ...(networkCards === null ? {} : { networkCards }),
    ...(maxNetworkInterfaces === null ? {} : { maxNetworkInterfaces }),
    encryptsInTransit,
    ...described,
    ...unlisted,
    gpus: gpu === null ? [] : [{ model: gpu[0], manufacturer: gpu[1], count: gpu[2], memoryMiB: gpu[3] }],
    accelerators: accelerator === null ? [] : [{ model: accelerator[0], count: accelerator[1] }],
    price: priceOf(file, row, region),
  };
}

/**
 * Text of a catalogue file to the catalogue of `region`.
 *
 * @throws {InputError} when it is no catalogue, with every fault; or when it was changed without its builder
 */
export function parseCatalogue(text: string, region: string, source: string): Catalogue {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : "not readable";
    throw new InputError(source, [{ path: "", message: `Cannot read as JSON: ${message}` }], { cause });
  }
  const file = parseContract(catalogueFileSchema, data, source);
  const digest = catalogueDigest(file.columns, file.rows);
  if (digest !== file.sha256) {
    throw new InputError(source, [
      {
        path: "sha256",
        message: `the rows have digest ${digest}, the file says ${file.sha256}: build it with tools/build-catalogue.ts`,
      },
    ]);
  }
  return {
    region,
    pricesOf: file.region,
    source: file.source,
    licence: file.licence,
    specsAsOf: file.specsAsOf,
    describedBy: file.describedBy,
    describedAsOf: file.describedAsOf,
    pricesAsOf: file.pricesAsOf,
    currency: file.currency,
    instanceTypes: file.rows.map((row) => instanceTypeOf(file, row, region)),
  };
}

/** The catalogue in force: the committed one, or a refreshed one that BEDPLATE_CATALOGUE names. */
function catalogueInForce(): { file: string | URL; name: string } {
  const own = process.env["BEDPLATE_CATALOGUE"];
  if (own === undefined) return { file: FILE, name: "cost/catalogue/ec2-us-east-1.json" };
  return { file: own, name: own };
}

function readCatalogueText(file: string | URL, name: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new InputError(name, [{ path: "", message: `Cannot read: ${messageOf(cause)}` }], { cause });
  }
}

/** By file and region: a file does not change below a running program. */
const LOADED = new Map<string, Catalogue>();

/**
 * The catalogue in force, priced for `region`: the committed one, unless BEDPLATE_CATALOGUE names another. In a region whose prices it lacks every type is unpriced and says why;
 * the specifications hold everywhere. Read and checked once in a program.
 *
 * @throws {InputError} when the file is not there or broken
 */
export function loadCatalogue(region: string): Catalogue {
  const { file, name } = catalogueInForce();
  const key = JSON.stringify([name, region]);
  const loaded = LOADED.get(key);
  if (loaded !== undefined) return loaded;
  const catalogue = parseCatalogue(readCatalogueText(file, name), region, name);
  LOADED.set(key, catalogue);
  return catalogue;
}
