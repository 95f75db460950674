import * as pulumi from "@pulumi/pulumi";
import type { ConstructResult } from "@pulumi/pulumi/provider/provider.js";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { formatPath, parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { ENVIRONMENT_TYPE } from "../environment/environment-spec.ts";
import { Environment } from "../environment/environment.ts";
import { loadHostArchives } from "../environment/host-archives.ts";
import { INPUTS_OF_COMPONENT } from "../environment/stack-config.ts";
import { SECRET_INPUTS, environmentInputsSchema } from "./package-schema.ts";

/**
 * `bedplate:index:Environment` for a program in another language: its inputs checked as a whole, then the component as our
 * own stacks make it.
 *
 * @throws {pulumi.InputPropertiesError} before anything is registered, with every fault and its path
 */
export async function constructEnvironment(
  name: string,
  inputs: pulumi.Inputs,
  options: pulumi.ComponentResourceOptions,
): Promise<ConstructResult> {
  const { data, faults, secretInputs } = await resolveInputs(inputs);
  const refusal = () => refusalOf(name, faults, secretInputs);
  const checked = await collecting(faults, "", () =>
    parseContract(environmentInputsSchema, data, ENVIRONMENT_TYPE),
  );
  if (checked === undefined || faults.length > 0) throw refusal();
  const { spec, archiveManifest, kubeconfig: _known, ...settings } = checked;
  const archives = await collecting(faults, "archiveManifest", () =>
    loadHostArchives(spec.hostPools, archiveManifest),
  );
  if (archives === undefined) throw refusal();
  const config = {
    ...settings,
    archiveManifest,
    environmentFile: undefined,
    clusterStack: undefined,
    kubeconfig: kubeconfigOf(inputs),
    words: INPUTS_OF_COMPONENT,
  };
  const environment = await collecting(
    faults,
    "spec",
    () => new Environment(name, { spec, config, archives }, options),
  );
  if (environment === undefined) throw refusal();
  return { urn: environment.urn, state: { ...environment.outputs } };
}

/** The one input that a preview need not know: a cluster of the same program gives it when it is up. */
function kubeconfigOf({ kubeconfig }: pulumi.Inputs): pulumi.Output<string> | undefined {
  if (kubeconfig === undefined || kubeconfig === "") return undefined;
  return pulumi.secret(pulumi.output(kubeconfig).apply(String));
}

/** The inputs as data, and what among them cannot be used: values that are not known yet, secrets in plain places. */
async function resolveInputs(inputs: pulumi.Inputs): Promise<{
  readonly data: unknown;
  readonly faults: Fault[];
  /** Those that hold a secret, as they may or may not. */
  readonly secretInputs: ReadonlySet<string>;
}> {
  const faults: Fault[] = [];
  const secretInputs = new Set<string>(SECRET_INPUTS);
  const resolve = (value: unknown, path: readonly PropertyKey[]): unknown => {
    const input = path[0];
    if (pulumi.runtime.isRpcSecret(value)) {
      secretInputs.add(String(input));
      if (!SECRET_INPUTS.some((key) => key === input)) {
        const message = `is a secret, and would stand in plain text: only ${SECRET_INPUTS.join(" and ")} may be`;
        faults.push({ path: formatPath(path), message });
      }
      return resolve(pulumi.runtime.unwrapRpcSecret(value), path);
    }
    if (value === pulumi.runtime.unknownValue) {
      if (input !== "kubeconfig") {
        const message =
          "is not known before an up: take it from a stack that is up already, by a StackReference";
        faults.push({ path: formatPath(path), message });
      }
      return undefined;
    }
    if (Array.isArray(value)) return value.map((inner, index) => resolve(inner, [...path, index]));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, resolve(inner, [...path, key])]),
    );
  };
  const serialized: unknown = await pulumi.runtime.serializeProperties(ENVIRONMENT_TYPE, inputs);
  return { data: resolve(serialized, []), faults, secretInputs };
}

/** What the work gives; what it refuses is added to the faults, below a path. */
async function collecting<Result>(
  faults: Fault[],
  below: string,
  work: () => Result | Promise<Result>,
): Promise<Result | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    const seen = new Set(faults.map(({ path }) => path));
    const found = error.faults.map(({ path, message }) => ({
      path: [below, path].filter((part) => part !== "").join("."),
      message,
    }));
    faults.push(...found.filter(({ path }) => !seen.has(path)));
    return undefined;
  }
}

/** The engine prints the value of each property that is named to it: a secret one is told in words. */
function refusalOf(
  name: string,
  faults: readonly Fault[],
  secretInputs: ReadonlySet<string>,
): pulumi.InputPropertiesError {
  const isSecret = ({ path }: Fault) => secretInputs.has(path.split(/[.[]/)[0] ?? "");
  const lines = [
    `environment ${name}: ${faults.length} ${faults.length === 1 ? "fault" : "faults"}`,
    ...faults.filter(isSecret).map(({ path, message }) => `  ${path}: ${message}`),
  ];
  return new pulumi.InputPropertiesError({
    message: lines.join("\n"),
    errors: faults
      .filter((fault) => !isSecret(fault))
      .map(({ path, message }) => ({ propertyPath: path, reason: message })),
  });
}
