import { readFileSync } from "node:fs";
import * as pulumi from "@pulumi/pulumi";

/**
 * Registers what a file lists, and nothing else: no component of ours, no check, no parent, no lookup. Each resource is
 * made with the class that its SDK has for it, as in a plain Pulumi program; or, for the floor below that, by its inputs
 * alone: a class declares every output of its type, and the SDK makes four promises for each.
 */
interface BareResource {
  readonly type: string;
  readonly name: string;
  readonly isCustom: boolean;
  readonly inputs: pulumi.Inputs;
}

const TUNED_HOST_TYPE = "bedplate:index:TunedHost";

type CustomClass = new (name: string, inputs: pulumi.Inputs) => pulumi.CustomResource;

class BareComponent extends pulumi.ComponentResource {
  constructor({ type, name, inputs }: BareResource) {
    super(type, name, inputs);
  }
}

class InputsAlone extends pulumi.CustomResource {
  constructor({ type, name, inputs }: BareResource) {
    super(type, name, inputs);
  }
}

/** `aws:ec2/launchTemplate:LaunchTemplate` is `aws.ec2.LaunchTemplate`. A package is loaded where a type of it is listed. */
async function classOf(type: string): Promise<CustomClass> {
  if (type === TUNED_HOST_TYPE) {
    const { TunedHost } = await import("../../components/provider/tuned-host-resource.ts");
    return TunedHost as unknown as CustomClass;
  }
  const aws = await import("@pulumi/aws");
  if (type === "pulumi:providers:aws") return aws.Provider;
  const [, place = "", name = ""] = type.split(":");
  const modules: Readonly<Record<string, unknown>> = aws;
  const found = (modules[place.split("/")[0] ?? ""] as Readonly<Record<string, unknown>> | undefined)?.[name];
  if (typeof found !== "function") throw new pulumi.RunError(`There is no class for ${type}`);
  return found as CustomClass;
}

async function classesOf(resources: readonly BareResource[]): Promise<ReadonlyMap<string, CustomClass>> {
  const types = new Set(resources.filter(({ isCustom }) => isCustom).map(({ type }) => type));
  return new Map(await Promise.all([...types].map(async (type) => [type, await classOf(type)] as const)));
}

if (process.env["BEDPLATE_BARE_WITHOUT_SOURCE_MAPS"] !== undefined) {
  Reflect.deleteProperty(Error, "prepareStackTrace");
}
const file = process.env["BEDPLATE_BARE_RESOURCES"];
if (file === undefined) throw new pulumi.RunError("BEDPLATE_BARE_RESOURCES names no file");
const listed = JSON.parse(readFileSync(file, "utf8")) as readonly BareResource[];
const classes =
  process.env["BEDPLATE_BARE_INPUTS_ALONE"] === undefined
    ? await classesOf(listed)
    : new Map<string, never>();
export const registered = listed.map((resource) => {
  if (!resource.isCustom) return new BareComponent(resource);
  const Found = classes.get(resource.type);
  return Found === undefined ? new InputsAlone(resource) : new Found(resource.name, resource.inputs);
}).length;
