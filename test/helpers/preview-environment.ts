import path from "node:path";
import { loadCatalogue } from "../../cost/catalogue/catalogue.ts";
import { OWNER_TAG_KEYS } from "../../components/tags/owner-tags.ts";
import { type ProgramArgs, type ProgramRun, type RegisteredResource, runProgram } from "./program-host.ts";
import { type Decoded, UNKNOWN } from "./program-values.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");

/** Small files that stand in for the archives, so that a preview builds nothing and its golden moves with no source. */
export const ARCHIVES = "test/fixtures/archives/manifest.json";

const ZONE_OF_SUBNET: Readonly<Record<string, string>> = {
  "subnet-0aaaaaaaaaaaaaaa0": "us-east-1a",
  "subnet-0bbbbbbbbbbbbbbb0": "us-east-1b",
};

/** What an account with a default VPC of two subnets answers, in a region that has every type of the catalogue. */
export function answerAccountCalls(
  token: string,
  args: Readonly<Record<string, unknown>>,
): Record<string, unknown> | undefined {
  switch (token) {
    case "aws:index/getCallerIdentity:getCallerIdentity":
      return { accountId: "123456789012", arn: "arn:aws:iam::123456789012:user/somebody" };
    case "aws:ec2/getSubnet:getSubnet":
      return {
        id: args["id"],
        availabilityZone: ZONE_OF_SUBNET[String(args["id"])],
        mapPublicIpOnLaunch: true,
      };
    case "aws:ec2/getInstanceTypeOfferings:getInstanceTypeOfferings": {
      const offers = TYPES.flatMap(({ type }) =>
        Object.values(ZONE_OF_SUBNET).map((zone) => [type, zone] as const),
      );
      return { instanceTypes: offers.map(([type]) => type), locations: offers.map(([, zone]) => zone) };
    }
    case "aws:ec2/getInstanceType:getInstanceType":
      return describedType(String(args["instanceType"]));
    case "aws:ec2/getVpc:getVpc":
      return { id: "vpc-0123456789abcdef0", cidrBlock: "172.31.0.0/16" };
    case "aws:ec2/getSubnets:getSubnets":
      return { ids: ["subnet-0aaaaaaaaaaaaaaa0", "subnet-0bbbbbbbbbbbbbbb0"] };
    case "aws:ssm/getParameter:getParameter":
      return { value: newestImage(String(args["name"])) };
    case "aws:eks/getAddonVersion:getAddonVersion":
      return { version: `v1.0.0-eksbuild.${String(args["addonName"]).length}` };
    default:
      return undefined;
  }
}

/** As a public parameter names it: EKS publishes images of its own for each version of Kubernetes. */
function newestImage(parameter: string): string {
  const [, minor] = /\/optimized-ami\/1\.(\d\d)\//.exec(parameter) ?? [];
  if (minor === undefined) return "ami-0123456789abcdef0";
  return parameter.endsWith("/release_version") ? `1.${minor}.2-20261103` : `ami-0123456789abcde${minor}`;
}

const TYPES = loadCatalogue("us-east-1").instanceTypes;

/** One type as the provider describes it, from the catalogue: a region where nothing has changed since. */
export function describedType(name: string): Record<string, unknown> | undefined {
  const spec = TYPES.find((candidate) => candidate.type === name);
  if (spec?.cpu === undefined || spec.cards === undefined) return undefined;
  const { cpu, disks, cards } = spec;
  return {
    instanceType: name,
    bareMetal: spec.bareMetal,
    defaultVcpus: spec.vcpus,
    defaultCores: cpu.cores,
    defaultThreadsPerCore: cpu.threadsPerCore,
    validCores: cpu.settable?.cores ?? [],
    validThreadsPerCores: cpu.settable?.threadsPerCore ?? [],
    memorySize: spec.memoryMiB,
    instanceDisks:
      disks === undefined || disks.kind === "none"
        ? []
        : [{ count: disks.count, size: disks.sizeGB, type: disks.kind === "hdd" ? "hdd" : "ssd" }],
    networkCards: cards.map((card, index) => ({ index, maximumInterfaces: card.maxInterfaces })),
    efaMaximumInterfaces: spec.efaInterfaces,
    enaSrdSupported: spec.enaExpress,
    supportedUsagesClasses: ["on-demand", ...(spec.usageClasses ?? [])],
    supportedPlacementStrategies: spec.clusterPlacement === true ? ["cluster", "spread"] : ["spread"],
  };
}

/** Previews one environment as it is committed, in a cluster and an account that answer. */
export function previewEnvironment(stack: string, args: Partial<ProgramArgs> = {}): Promise<ProgramRun> {
  return runProgram({
    stack,
    config: { archiveManifest: ARCHIVES, kubeconfig: "{}", ...args.config },
    secretKeys: ["kubeconfig"],
    invoke: args.invoke ?? answerAccountCalls,
    ...(args.isPreview === undefined ? {} : { isPreview: args.isPreview }),
    ...(args.program === undefined ? {} : { program: args.program }),
    ...(args.outputsOf === undefined ? {} : { outputsOf: args.outputsOf }),
    // EKS makes a security group of its own, and says which in the settings that it was given.
    filledInWhenMade: (type) => (type === "aws:eks/cluster:Cluster" ? ["vpcConfig"] : []),
  });
}

/** Errors of a run as one text, for the message of a failed assertion. */
export function errorsOf(run: ProgramRun): string {
  return [
    ...run.logs.filter((line) => line.severity === "error").map((line) => line.message),
    run.stderr,
  ].join("\n");
}

/** The one resource of a kind and a name. */
export function resourceIn(run: ProgramRun, kind: string, name: string): RegisteredResource {
  const found = run.resources.find(
    (resource) => resource.type.endsWith(`:${kind}`) && resource.name === name,
  );
  if (found === undefined) throw new Error(`No ${kind} "${name}": ${errorsOf(run)}`);
  return found;
}

/** An input that has to be known text. */
export function textOf(value: unknown): string {
  if (typeof value !== "string") throw new Error(`Expected text, got ${JSON.stringify(value)}`);
  return value;
}

/** A run as a tree that people review: each resource below its parent, with what it is made from. */
export function renderPreview(run: ProgramRun): string {
  const lines: string[] = [];
  const visit = (parent: string, depth: number): void => {
    for (const resource of run.resources.filter((candidate) => candidate.parent === parent)) {
      const indent = "  ".repeat(depth);
      lines.push(`${indent}${resource.type}  ${resource.name}${marksOf(resource)}`);
      lines.push(...renderValue(resource.inputs, `${indent}    `));
      visit(resource.urn, depth + 1);
    }
  };
  visit("", 0);
  return `${lines.join("\n")}\n\noutputs\n${renderValue(run.outputs, "  ").join("\n")}\n`;
}

function marksOf(resource: RegisteredResource): string {
  const marks = [
    ...(resource.isProtected ? ["protected"] : []),
    ...(resource.isRetainedOnDelete ? ["kept on delete"] : []),
    ...(resource.ignoreChanges.length > 0 ? [`ignores changes of ${resource.ignoreChanges.join(", ")}`] : []),
  ];
  return marks.length === 0 ? "" : `  (${marks.join("; ")})`;
}

function renderValue(value: Decoded, indent: string): string[] {
  if (Array.isArray(value)) {
    const rows = rowsAsMap(value);
    if (rows !== undefined) return renderValue(rows, indent);
    return value.flatMap((inner) =>
      isLeaf(inner)
        ? [`${indent}- ${leafText(inner)}`]
        : [`${indent}-`, ...renderValue(inner, `${indent}  `)],
    );
  }
  if (typeof value !== "object" || value === null) return [`${indent}${leafText(value)}`];
  const owner = ownerText(value);
  const rest = owner === undefined ? value : without(value, OWNER_KEYS);
  const ownerLine = owner === undefined ? [] : [`${indent}(owner ${owner})`];
  const lines = Object.entries(rest)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, inner]) =>
      isLeaf(inner)
        ? [`${indent}${key}: ${key === "userData" && inner !== UNKNOWN ? "(user data)" : leafText(inner)}`]
        : [`${indent}${key}:`, ...renderValue(inner, `${indent}  `)],
    );
  return [...ownerLine, ...lines];
}

/** Tags of an Auto Scaling group, where every row reaches the instances. */
function rowsAsMap(rows: readonly Decoded[]): { [key: string]: Decoded } | undefined {
  const entries = rows.map((row) =>
    typeof row === "object" && row !== null && !Array.isArray(row) && row["propagateAtLaunch"] === true
      ? ([JSON.stringify(row["key"]).slice(1, -1), row["value"] ?? null] as const)
      : undefined,
  );
  return entries.length > 0 && entries.every((entry) => entry !== undefined)
    ? Object.fromEntries(entries)
    : undefined;
}

const OWNER_KEYS: readonly string[] = [...OWNER_TAG_KEYS, "managed-by"];

/** A full set of owner tags on one line, so that a missing one stands out. */
function ownerText(value: { readonly [key: string]: Decoded }): string | undefined {
  const found = OWNER_KEYS.map((key) => value[key]);
  return found.every((tag) => typeof tag === "string") ? found.join(" ") : undefined;
}

function without(value: { readonly [key: string]: Decoded }, keys: readonly string[]) {
  return Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)));
}

function isLeaf(value: Decoded): boolean {
  return typeof value !== "object" || value === null || Object.keys(value).length === 0;
}

function leafText(value: Decoded): string {
  if (typeof value === "string") return value.replaceAll(`${REPOSITORY}/`, "");
  return JSON.stringify(value);
}
