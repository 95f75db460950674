import { readFile } from "node:fs/promises";
import * as z from "zod";
import type { Environment } from "../../components/environment/environment-spec.ts";
import { InputError } from "../../host-tuning/errors.ts";
import { errnoText } from "../../host-tuning/sys/errno.ts";
import { parseContract, parseYamlText } from "../../host-tuning/profile/parse-contract.ts";
import type { Catalogue } from "../catalogue/catalogue.ts";
import {
  type EstimateKey,
  estimateOfLines,
  ownerKeysOf,
  perMonth,
  type UnroundedLine,
} from "./build-cost-estimate.ts";
import type { CostEstimate } from "./cost-estimate.ts";

/** What Pulumi's SDK for Python calls a property, and exports it as: `machine_type` for `machineType`. */
function pythonName(property: string): string {
  return property.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** An object of a stack in any of Pulumi's languages; keys that are not the schema's own, as a pool's name, stay as they are. */
function outputObject<Shape extends z.ZodRawShape>(shape: Shape) {
  const propertyOf = new Map(Object.keys(shape).map((property) => [pythonName(property), property]));
  return z.preprocess((data) => {
    if (typeof data !== "object" || data === null || Array.isArray(data)) return data;
    const renamed = Object.entries(data).map(
      ([name, value]) => [propertyOf.get(name) ?? name, value] as const,
    );
    // A property under its own name counts before the same under Python's.
    return { ...Object.fromEntries(renamed), ...data };
  }, z.object(shape));
}

/** What a stack returns (`pulumi stack output --json`), as far as money depends on it. */
const outputsSchema = outputObject({
  environment: z.string(),
  owner: outputObject({ team: z.string(), costCenter: z.string(), service: z.string() }),
  pools: z.record(
    z.string(),
    outputObject({ where: z.string(), count: z.int().min(0), machineType: z.string() }),
  ),
});

/** A state export (`pulumi stack export`), of which the stack's own outputs are read. */
const exportSchema = z.object({
  deployment: z.object({
    resources: z.array(z.object({ type: z.string(), outputs: z.unknown().optional() })).default([]),
  }),
});

type DeployedOutputs = z.output<typeof outputsSchema>;

function outputsIn(data: unknown, file: string): unknown {
  if (typeof data !== "object" || data === null || !("deployment" in data)) return data;
  const { deployment } = parseContract(exportSchema, data, file);
  const stack = deployment.resources.find(({ type }) => type === "pulumi:pulumi:Stack");
  if (stack !== undefined) return stack.outputs;
  throw new InputError(file, [
    { path: "deployment.resources", message: "has no stack: nothing was deployed" },
  ]);
}

function hostLine(
  [pool, deployed]: [string, DeployedOutputs["pools"][string]],
  environment: Environment,
  catalogue: Catalogue,
): UnroundedLine {
  const base = { pool, owner: ownerKeysOf(environment) };
  const { count, machineType: instanceType } = deployed;
  if (deployed.where !== "aws" || count === 0) {
    const because = count === 0 ? "it has no hosts" : "nothing is bought";
    return { kind: "not-billed", ...base, item: `${count} ${deployed.where} hosts`, because };
  }
  const spec = catalogue.instanceTypes.find(({ type }) => type === instanceType);
  const price = spec?.price ?? { kind: "unpriced" as const, because: `the catalogue has no ${instanceType}` };
  if (price.kind === "unpriced") {
    return { kind: "unpriced", ...base, item: `${instanceType} hosts`, instanceType, because: price.because };
  }
  const { hoursPerMonth } = environment.schedule;
  const cost = perMonth(price.amount, hoursPerMonth, count);
  return {
    kind: "priced",
    ...base,
    item: `${instanceType} hosts`,
    instanceType,
    count,
    maxCount: count,
    hoursPerMonth,
    pricePerHour: price.amount,
    perMonth: cost,
    perMonthAtMost: cost,
  };
}

/**
 * What the deployed hosts of an environment cost a month: types and counts as the stack's outputs have them, hours as the
 * environment's file has them.
 *
 * @param environment as its file is now; the owner is the deployed one
 * @throws {InputError} when the file is neither outputs nor an export of this environment's stack
 */
export async function readDeployedEstimate(
  file: string,
  environment: Environment,
  catalogue: Catalogue,
  by: EstimateKey,
): Promise<CostEstimate> {
  const text = await readFile(file, "utf8").catch((cause: unknown) => {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  });
  const outputs = parseContract(outputsSchema, outputsIn(parseYamlText(text, file), file), file);
  if (outputs.environment !== environment.name) {
    const message = `is of environment "${outputs.environment}", not "${environment.name}"`;
    throw new InputError(file, [{ path: "environment", message }]);
  }
  const deployed: Environment = { ...environment, owner: outputs.owner };
  const lines = Object.entries(outputs.pools).map((pool) => hostLine(pool, deployed, catalogue));
  const isPriced = lines.some(({ kind }) => kind === "priced");
  return estimateOfLines(deployed, catalogue, by, lines, [
    ...(isPriced
      ? [`hosts run ${environment.schedule.hoursPerMonth} hours a month, as the file has it now`]
      : []),
    "deployed hosts as the stack's outputs count them; what scaling added since is not in it",
    "hosts alone are compared: the outputs name no volumes and no traffic",
  ]);
}
