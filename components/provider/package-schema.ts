import type * as pulumi from "@pulumi/pulumi";
import * as z from "zod";
import { hostReportSchema } from "../../host-tuning/report/host-report.ts";
import { hostProfileSchema } from "../../host-tuning/profile/host-profile.ts";
import type { EnvironmentOutputs } from "../environment/environment.ts";
import {
  ENVIRONMENT_TYPE,
  awsPoolSchema,
  environmentSchema,
  hostNeedsSchema,
  localPoolSchema,
  metal3PoolSchema,
  ownerSchema,
  serviceSpecSchema,
  sshPoolSchema,
} from "../environment/environment-spec.ts";
import { environmentSettingsSchema } from "../environment/stack-config.ts";
import { localVmSpecSchema } from "../hosts/local-vm/vm-spec.ts";
import { sshTargetSchema } from "../hosts/ssh/ssh-target.ts";
import { tunedHostSpecSchema } from "../hosts/ssh/tuned-host-spec.ts";
import type { LocalVmOutputs } from "./local-vm-provider.ts";
import { LOCAL_VM_TYPE } from "./local-vm-resource.ts";
import { PulumiTypes } from "./pulumi-types.ts";
import type { TunedHostOutputs } from "./tuned-host-outputs.ts";
import { TUNED_HOST_TYPE } from "./tuned-host-resource.ts";

/** What `bedplate:index:Environment` takes in a program of any language. */
export const environmentInputsSchema = z
  .strictObject({ spec: environmentSchema, ...environmentSettingsSchema.shape })
  .describe(
    "One environment: its pools of hosts and the service on them, every part of it tagged with who pays",
  );

/** Inputs that may be secrets of the program. What is in the others stands in user data, tags and outputs. */
export const SECRET_INPUTS = ["kubeconfig", "bmcCredentials"] as const satisfies readonly (keyof z.input<
  typeof environmentInputsSchema
>)[];

const texts = z.record(z.string(), z.string());
const phases = z.array(
  z.object({
    name: z.enum(["packages", "image", "boot", "cloud-init", "agent", "service"]),
    durationMillis: z.number(),
  }),
);

const environmentOutputsSchema = z.object({
  environment: z.string(),
  owner: ownerSchema,
  budget: environmentSchema.shape.budget,
  pools: z.record(
    z.string(),
    z.object({
      where: z.string(),
      count: z.int(),
      machineType: z.string(),
      addresses: z.array(z.string()),
    }),
  ),
  serviceUrls: z.array(z.string()).describe("Where the service answers, as far as the engine knows it"),
  machines: z
    .array(
      z.object({
        name: z.string(),
        address: z.string(),
        sshPort: z.int(),
        servicePort: z.int(),
        serviceUrl: z.string(),
        stateDir: z.string(),
        reportPath: z.string(),
        accelerator: z.string(),
        phases,
      }),
    )
    .describe("Machines of local pools; empty elsewhere"),
  kubeconfig: z.exactOptional(z.string()).describe("Of the environment's own cluster"),
}) satisfies z.ZodType<pulumi.Unwrap<EnvironmentOutputs>>;

const localVmOutputsSchema = z.object({
  machineId: z.string(),
  stateDir: z.string(),
  isRunning: z.boolean(),
  accelerator: z.string(),
  address: z.string().describe("This machine's loopback: ports lead into the machine"),
  sshPort: z.int(),
  hostServicePort: z.int().describe("Port on this machine that leads to the service"),
  serviceUrl: z.string(),
  reportPath: z.string().describe("File on this machine with the HostReport of the last boot"),
  phases,
}) satisfies OutputsOf<LocalVmOutputs, keyof typeof localVmSpecSchema.shape>;

const tunedHostOutputsSchema = z.object({
  plan: texts.describe("What an up would change, in a preview; empty after an up"),
  machineId: z.string(),
  isTuned: z.boolean().describe("False where the last up did not end with every value as wanted"),
  problem: z.string().describe("Why the host could not be read at the last refresh; empty where it could"),
  facts: z
    .object({
      hostname: z.string().nullable(),
      distribution: z.string().nullable(),
      kernelRelease: z.string().nullable(),
      architecture: z.string(),
      virtualization: z.string(),
      cpuModel: z.string().nullable(),
      logicalCpus: z.int(),
      numaNodes: z.int(),
      memoryBytes: z.number(),
      nics: z.array(z.string()),
      disks: z.array(z.string()),
      gpus: z.array(z.string()),
    })
    .nullable(),
  report: z
    .object({
      verb: hostReportSchema.shape.verb,
      agentVersion: z.string(),
      startedAt: z.string(),
      durationMillis: z.number(),
      counts: hostReportSchema.shape.counts,
      failed: texts.describe("By knob and target, with the reason"),
      needsReboot: z.array(z.string()),
      drifted: z.array(z.string()),
    })
    .nullable(),
  settings: texts.describe("Values in force, as they were read back, by knob and target"),
}) satisfies OutputsOf<TunedHostOutputs, keyof typeof tunedHostSpecSchema.shape>;

/** A contract of what a resource answers beside its inputs; another key or type does not compile. */
type OutputsOf<Outputs, Inputs extends PropertyKey> = z.ZodType<Omit<Outputs, Inputs>>;

/** The schema of the package `bedplate`, as programs in other languages and their SDK generators read it. */
export function packageSchema(version: string): string {
  const types = new PulumiTypes("bedplate", {
    AwsPool: awsPoolSchema,
    EnvironmentSpec: environmentSchema,
    HostNeeds: hostNeedsSchema,
    HostProfile: hostProfileSchema,
    LocalPool: localPoolSchema,
    Metal3Pool: metal3PoolSchema,
    Owner: ownerSchema,
    PoolProfile: awsPoolSchema.shape.profile,
    ServiceSpec: serviceSpecSchema,
    SshPool: sshPoolSchema,
    SshTarget: sshTargetSchema,
  });
  const resources = {
    [ENVIRONMENT_TYPE]: environmentResource(types),
    [LOCAL_VM_TYPE]: customResource(types, "LocalVm", localVmSpecSchema, localVmOutputsSchema),
    [TUNED_HOST_TYPE]: customResource(
      types,
      "TunedHost",
      tunedHostSpecSchema.describe("A machine that exists already, tuned over ssh"),
      tunedHostOutputsSchema,
    ),
  };
  return `${JSON.stringify(
    {
      name: "bedplate",
      displayName: "Bedplate",
      version,
      description: "Provisions and tunes the hosts that MCP servers run on",
      license: "Apache-2.0",
      meta: { moduleFormat: "(.*)" },
      config: {},
      language: {
        nodejs: { respectSchemaVersion: true },
        python: { respectSchemaVersion: true, pyproject: { enabled: true } },
      },
      types: types.types,
      resources,
    },
    null,
    2,
  )}\n`;
}

function environmentResource(types: PulumiTypes) {
  const inputs = types.objectSpec(environmentInputsSchema, "input", "Environment");
  const outputs = types.objectSpec(environmentOutputsSchema, "output", "Environment");
  const secret = (keys: readonly string[], properties: typeof inputs.properties) =>
    Object.fromEntries(
      Object.entries(properties).map(([key, spec]) => [
        key,
        keys.includes(key) ? { ...spec, secret: true } : spec,
      ]),
    );
  return {
    isComponent: true,
    description: inputs.description,
    inputProperties: secret(SECRET_INPUTS, inputs.properties),
    requiredInputs: inputs.required,
    properties: secret(["kubeconfig"], outputs.properties),
    required: outputs.required,
  };
}

/** A resource whose outputs are its inputs, defaults filled in, and what was made of them. */
function customResource(types: PulumiTypes, name: string, spec: z.ZodType, made: z.ZodType) {
  const inputs = types.objectSpec(spec, "input", name);
  const outputs = types.objectSpec(made, "output", name);
  return {
    ...(inputs.description === undefined ? {} : { description: inputs.description }),
    inputProperties: inputs.properties,
    requiredInputs: inputs.required,
    properties: { ...inputs.properties, ...outputs.properties },
    required: [...inputs.required, ...outputs.required],
  };
}
