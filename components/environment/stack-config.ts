import * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { BmcCredentials, bmcAccountsSchema } from "../hosts/metal3/bmc-credentials.ts";

/** Empty text and empty list are how Pulumi.yaml spells "not given". */
const optionalText = <S extends z.ZodType>(schema: S) =>
  z.preprocess((value) => (value === "" ? undefined : value), schema.optional());
const optionalList = <S extends z.ZodType>(schema: S) =>
  z.preprocess(
    (value) => (Array.isArray(value) && value.length === 0 ? undefined : value),
    z.array(schema).optional(),
  );

const stackConfigSchema = z.strictObject({
  environmentFile: optionalText(z.string()),
  archiveManifest: optionalText(z.string()),
  accountId: optionalText(z.string().regex(/^\d{12}$/, "an account id of 12 digits")),
  vpcId: optionalText(z.string().regex(/^vpc-[0-9a-f]{8,17}$/, "a VPC id as in vpc-0123456789abcdef0")),
  subnetIds: optionalList(
    z.string().regex(/^subnet-[0-9a-f]{8,17}$/, "a subnet id as in subnet-0123456789abcdef0"),
  ),
  allowedCidrs: optionalList(z.cidrv4("an IPv4 range as in 10.0.0.0/16")),
  amiId: optionalText(z.string().regex(/^ami-[0-9a-f]{8,17}$/, "an image id as in ami-0123456789abcdef0")),
  clusterAdministrators: optionalList(
    z
      .string()
      .regex(
        /^arn:aws(-cn|-us-gov)?:iam::\d{12}:role\/[\w+=,.@/-]{1,576}$/,
        "an IAM role as in arn:aws:iam::123456789012:role/platform",
      ),
  ),
  clusterStack: optionalText(
    z.string().regex(/^[\w.-]+(\/[\w.-]+){0,2}$/, "a stack as in organization/project/stack"),
  ),
  bmcCredentials: bmcAccountsSchema.default({}).transform((accounts) => new BmcCredentials(accounts)),
});

/**
 * The same settings where they are inputs of a component, in a program of any language: it has the environment in itself,
 * and takes the kubeconfig from wherever it likes.
 */
export const environmentSettingsSchema = stackConfigSchema
  .omit({ environmentFile: true, clusterStack: true })
  .extend({
    archiveManifest: optionalText(
      z.string().regex(/^\//, "an absolute path; in a YAML program ${pulumi.cwd} is its folder"),
    ).describe(
      "List of archives that were built elsewhere; without one they are built from the package's sources",
    ),
    vpcId: stackConfigSchema.shape.vpcId.describe("VPC of the hosts; absent: the account's default VPC"),
    subnetIds: stackConfigSchema.shape.subnetIds.describe("Absent: every subnet of the VPC"),
    allowedCidrs: stackConfigSchema.shape.allowedCidrs.describe(
      "Address ranges that may reach the service port; absent: the VPC's own range",
    ),
    bmcCredentials: stackConfigSchema.shape.bmcCredentials.describe(
      "Accounts of racked machines' management controllers, by ENVIRONMENT-POOL-MACHINE",
    ),
    kubeconfig: optionalText(z.string()).describe("Of the cluster that runs the service or the racks"),
  });

/** How whoever is told of a fault gives what is missing. */
export interface SettingWords {
  /** Follows "needs a cluster:", "needs the cluster that runs it:". */
  readonly giveCluster: string;
  /** What names a cluster that others made. */
  readonly clusterSetting: string;
  readonly giveAdministrators: string;
  readonly accountMissing: (machine: string) => string;
}

/** In a stack of this repository's own program. */
const KEYS_OF_STACK: SettingWords = {
  giveCluster: "set the stack's key kubeconfig (secret) or clusterStack",
  clusterSetting: "the stack's key kubeconfig or clusterStack",
  giveAdministrators: "pulumi config set --path 'clusterAdministrators[0]' ARN",
  accountMissing: (machine) =>
    `the stack's key bmcCredentials (secret) has no "${machine}": pulumi config set --secret --path 'bmcCredentials["${machine}"].username' NAME, and password`,
};

/** In a program of any language, where they are inputs of the component. */
export const INPUTS_OF_COMPONENT: SettingWords = {
  giveCluster: "give the input kubeconfig (secret)",
  clusterSetting: "the input kubeconfig",
  giveAdministrators: "give the input clusterAdministrators an ARN",
  accountMissing: (machine) =>
    `the input bmcCredentials (secret) has no "${machine}": give it a username and a password`,
};

/** Settings of a stack that are the account's, not the environment's: Pulumi.<stack>.yaml. */
export type StackConfig = z.output<typeof stackConfigSchema> & {
  /** From the key kubeconfig, or from the output of the cluster's stack. */
  readonly kubeconfig: pulumi.Output<string> | undefined;
  readonly words: SettingWords;
};

/**
 * The configuration of the running stack, checked as a whole.
 *
 * @throws {InputError} with every fault and the key it is at
 */
export function readStackConfig(): StackConfig {
  const config = new pulumi.Config();
  const checked = parseContract(
    stackConfigSchema,
    {
      environmentFile: config.get("environmentFile"),
      archiveManifest: config.get("archiveManifest"),
      accountId: config.get("accountId"),
      vpcId: config.get("vpcId"),
      subnetIds: config.getObject("subnetIds"),
      allowedCidrs: config.getObject("allowedCidrs"),
      amiId: config.get("amiId"),
      clusterAdministrators: config.getObject("clusterAdministrators"),
      clusterStack: config.get("clusterStack"),
      bmcCredentials: config.getObject("bmcCredentials"),
    },
    `configuration of stack ${pulumi.getStack()}`,
  );
  return { ...checked, kubeconfig: kubeconfigOf(config, checked.clusterStack), words: KEYS_OF_STACK };
}

function kubeconfigOf(
  config: pulumi.Config,
  clusterStack: string | undefined,
): pulumi.Output<string> | undefined {
  const own = config.get("kubeconfig");
  if (own !== undefined && own !== "") return config.requireSecret("kubeconfig");
  if (clusterStack === undefined) return undefined;
  const reference = new pulumi.StackReference(clusterStack);
  return pulumi.secret(reference.requireOutput("kubeconfig").apply(String));
}
