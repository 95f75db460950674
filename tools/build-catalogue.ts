/**
 * Builds cost/catalogue/ec2-us-east-1.json: `node tools/build-catalogue.ts SOURCE.json TYPES.json.gz NAME DATE`.
 *
 * SOURCE is a table of instance types and prices as karpenter-provider-aws generates it (`source`, `license`,
 * `specsAsOf`, `pricesAsOf`, `region`, `currency`, `instanceTypes[]`). TYPES is what EC2 answered to
 * DescribeInstanceTypes, by type, as moto carries it (moto/ec2/resources/instance_types.json.gz in its wheel); NAME and
 * DATE say which: `"EC2 DescribeInstanceTypes, as in moto 5.2.5" 2026-10-27`. What goes into the repository is the facts
 * in our own shape, with where they are from and of which day. Types that SOURCE lacks have no price and are left out.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import * as z from "zod";
import { type CatalogueRow, parseCatalogue, renderCatalogue } from "../cost/catalogue/catalogue.ts";
import {
  type DescribedType,
  describedColumns,
  describedTypeSchema,
} from "../cost/catalogue/described-type.ts";
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

/** What is taken of an answer to DescribeInstanceTypes, by type. */
const describedSchema = z.record(z.string(), describedTypeSchema);

/** Two sources that disagree on what a type is describe different things: then nothing is built. */
function contradictions(spec: SourceType, described: DescribedType): string[] {
  const pairs = [
    ["vCPUs", spec.vcpus, described.VCpuInfo.DefaultVCpus],
    ["MiB of memory", spec.memoryMiB, described.MemoryInfo.SizeInMiB],
  ] as const;
  return pairs.flatMap(([what, one, other]) =>
    one === other ? [] : [`${spec.type} has ${one} and ${other} ${what}`],
  );
}

function rowOf(spec: SourceType, described: DescribedType | undefined): CatalogueRow {
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
    described?.NetworkInfo.NetworkCards.length ?? spec.networkCards ?? null,
    spec.maxNetworkInterfaces ?? null,
    spec.encryptionInTransit,
    gpu,
    acceleratorName === undefined || acceleratorCount === undefined
      ? null
      : [acceleratorName, acceleratorCount],
    spec.onDemandUsdPerHour ?? null,
    ...describedColumns(described),
  ];
}

interface Described {
  readonly types: z.output<typeof describedSchema>;
  readonly name: string;
  readonly asOf: string;
}

function renderBuilt(source: z.output<typeof sourceSchema>, described: Described): string {
  const rows = source.instanceTypes.map((spec) => rowOf(spec, described.types[spec.type]));
  return renderCatalogue(
    {
      source: source.source,
      licence: source.license,
      specsAsOf: source.specsAsOf,
      describedBy: described.name,
      describedAsOf: described.asOf,
      pricesAsOf: source.pricesAsOf,
      region: source.region,
      currency: source.currency,
    },
    rows,
  );
}

function readJson<S extends z.ZodType>(schema: S, path: string): z.output<S> {
  const bytes = readFileSync(path);
  const text = path.endsWith(".gz") ? gunzipSync(bytes).toString("utf8") : bytes.toString("utf8");
  return parseContract(schema, parseYamlText(text, path), path);
}

function main([sourcePath, typesPath, name, asOf, ...others]: readonly string[]): number {
  if (sourcePath === undefined || typesPath === undefined || name === undefined || asOf === undefined) {
    process.stderr.write("Usage: node tools/build-catalogue.ts SOURCE.json TYPES.json.gz NAME DATE\n");
    return EXIT_CODE.badInput;
  }
  try {
    if (others.length > 0)
      throw new InputError("arguments", [{ path: "", message: `"${others.join(" ")}" is too much` }]);
    const source = readJson(sourceSchema, sourcePath);
    const types = readJson(describedSchema, typesPath);
    const faults = source.instanceTypes.flatMap((spec) => {
      const described = types[spec.type];
      return described === undefined ? [] : contradictions(spec, described);
    });
    if (faults.length > 0) {
      throw new InputError(
        `${sourcePath} and ${typesPath}`,
        faults.map((message) => ({ path: "", message })),
      );
    }
    const text = renderBuilt(source, { types, name, asOf });
    const catalogue = parseCatalogue(text, source.region, "the catalogue that was built");
    writeFileSync(OUTPUT, text);
    const priced = catalogue.instanceTypes.filter((spec) => spec.price.kind === "priced").length;
    const undescribed = catalogue.instanceTypes.filter((spec) => spec.cpu === undefined);
    process.stdout.write(
      `${catalogue.instanceTypes.length} instance types, ${priced} priced; not described: ${undescribed.map((spec) => spec.type).join(", ") || "none"}\n`,
    );
    return EXIT_CODE.asWanted;
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return EXIT_CODE.badInput;
  }
}

process.exitCode = main(process.argv.slice(2));
