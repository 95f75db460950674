/**
 * Builds cost/catalogue/ec2-us-east-1.json: `node tools/build-catalogue.ts SOURCE.json`.
 *
 * SOURCE is a table of instance types and prices as karpenter-provider-aws generates it (`source`, `license`,
 * `specsAsOf`, `pricesAsOf`, `region`, `currency`, `instanceTypes[]`). What goes into the repository is the facts in our
 * own shape, with where they are from and of which day.
 */
import { readFileSync, writeFileSync } from "node:fs";
import * as z from "zod";
import {
  CATALOGUE_COLUMNS,
  type CatalogueRow,
  catalogueDigest,
  parseCatalogue,
} from "../cost/catalogue/catalogue.ts";
import { InputError } from "../host-tuning/errors.ts";
import { EXIT_CODE } from "../host-tuning/exit-code.ts";
import { parseContract, parseYamlText } from "../host-tuning/profile/parse-contract.ts";

const OUTPUT = new URL("../cost/catalogue/ec2-us-east-1.json", import.meta.url);

const sourceSchema = z.object({
  source: z.string(),
  license: z.string(),
  specsAsOf: z.string(),
  pricesAsOf: z.string(),
  region: z.literal("us-east-1"),
  currency: z.string(),
  instanceTypes: z.array(
    z.strictObject({
      type: z.string(),
      arch: z.enum(["amd64", "arm64"]),
      vcpus: z.int(),
      memoryMiB: z.int(),
      bareMetal: z.boolean(),
      hypervisor: z.enum(["nitro", "xen"]).optional(),
      cpuManufacturer: z.enum(["intel", "amd", "aws"]),
      clockMHz: z.int(),
      networkMbps: z.int().optional(),
      ebsMbps: z.int().optional(),
      efaInterfaces: z.int(),
      encryptionInTransit: z.boolean(),
      maxPods: z.int(),
      onDemandUsdPerHour: z.string().optional(),
      maxNetworkInterfaces: z.int().optional(),
      networkCards: z.int().optional(),
      nvmeGB: z.int().optional(),
      acceleratorName: z.string().optional(),
      acceleratorCount: z.int().optional(),
      gpuName: z.string().optional(),
      gpuManufacturer: z.string().optional(),
      gpuCount: z.int().optional(),
      gpuMemoryMiB: z.int().optional(),
    }),
  ),
});

type SourceType = z.output<typeof sourceSchema>["instanceTypes"][number];

function rowOf(spec: SourceType): CatalogueRow {
  const { gpuName, gpuManufacturer, gpuCount, gpuMemoryMiB, acceleratorName, acceleratorCount } = spec;
  const gpu =
    gpuName === undefined ||
    gpuManufacturer === undefined ||
    gpuCount === undefined ||
    gpuMemoryMiB === undefined
      ? null
      : ([gpuName, gpuManufacturer, gpuCount, gpuMemoryMiB] satisfies CatalogueRow[15]);
  return [
    spec.type,
    spec.arch === "amd64" ? "x86_64" : "arm64",
    spec.vcpus,
    spec.memoryMiB,
    spec.bareMetal,
    spec.hypervisor ?? null,
    spec.cpuManufacturer,
    spec.clockMHz === 0 ? null : spec.clockMHz,
    spec.networkMbps ?? null,
    spec.ebsMbps ?? null,
    spec.nvmeGB ?? 0,
    spec.efaInterfaces,
    spec.networkCards ?? null,
    spec.maxNetworkInterfaces ?? null,
    spec.encryptionInTransit,
    gpu,
    acceleratorName === undefined || acceleratorCount === undefined
      ? null
      : [acceleratorName, acceleratorCount],
    spec.onDemandUsdPerHour ?? null,
  ];
}

/** The file's text: a header and one line per type, so that a refresh reads well in a diff. */
function renderCatalogue(source: z.output<typeof sourceSchema>): string {
  const rows = source.instanceTypes.map(rowOf).toSorted((a, b) => (a[0] < b[0] ? -1 : Number(a[0] > b[0])));
  const header = {
    source: source.source,
    licence: source.license,
    specsAsOf: source.specsAsOf,
    pricesAsOf: source.pricesAsOf,
    region: source.region,
    currency: source.currency,
    sha256: catalogueDigest(CATALOGUE_COLUMNS, rows),
    columns: CATALOGUE_COLUMNS,
  };
  const headerLines = Object.entries(header).map(
    ([key, value]) => `${JSON.stringify(key)}: ${JSON.stringify(value)},\n`,
  );
  return `{\n${headerLines.join("")}"rows": [\n${rows.map((row) => JSON.stringify(row)).join(",\n")}\n]\n}\n`;
}

function main(args: readonly string[]): number {
  const path = args[0];
  if (path === undefined || args.length > 1) {
    process.stderr.write("Usage: node tools/build-catalogue.ts SOURCE.json\n");
    return EXIT_CODE.badInput;
  }
  try {
    const source = parseContract(sourceSchema, parseYamlText(readFileSync(path, "utf8"), path), path);
    const text = renderCatalogue(source);
    const catalogue = parseCatalogue(text, source.region, "the catalogue that was built");
    writeFileSync(OUTPUT, text);
    const priced = catalogue.instanceTypes.filter((spec) => spec.price.kind === "priced").length;
    process.stdout.write(`${catalogue.instanceTypes.length} instance types, ${priced} priced\n`);
    return EXIT_CODE.asWanted;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_CODE.badInput;
  }
}

process.exitCode = main(process.argv.slice(2));
