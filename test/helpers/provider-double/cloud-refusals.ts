import { type Values, isObject } from "./check-inputs.ts";
import type { DoubledResource } from "./provider-double.ts";
import { factsOf } from "./type-facts.ts";

/**
 * What a cloud refuses by reason of what else it holds, whatever the types say. AWS: resources that others use, and what is
 * protected from deletion. Metal3: two hosts with one boot MAC address, of which the second is never registered, and
 * deleting the account of a host's controller while there is the host (its finalizer, in metal3-io/baremetal-operator,
 * pkg/secretutils; the API server then waits for what never comes).
 */

const BARE_METAL_HOST = "kubernetes:metal3.io/v1alpha1:BareMetalHost";

/** Inputs in which a name is a name, not a reference to what bears it. */
const NAMING_INPUTS: ReadonlySet<string> = new Set([
  "name",
  "tags",
  "tagSpecifications",
  "description",
  "metadata",
]);

/** Why a resource cannot be made beside those that there are. */
export function creationRefusal(
  { type, inputs }: Pick<DoubledResource, "type" | "inputs">,
  others: readonly DoubledResource[],
): string | undefined {
  if (type !== BARE_METAL_HOST) return undefined;
  const address = at(inputs, "spec", "bootMACAddress");
  const twin = others.find(
    (other) => other.type === type && at(other.inputs, "spec", "bootMACAddress") === address,
  );
  return twin && `RegistrationError: ${twin.id} has the boot MAC address ${String(address)} already`;
}

/** Why a resource cannot be deleted while there are the others. */
export function deletionRefusal(
  resource: DoubledResource,
  all: readonly DoubledResource[],
): string | undefined {
  const { type, id, inputs } = resource;
  const { keptBy } = factsOf(type);
  if (keptBy !== undefined && inputs[keptBy] === true)
    return `InvalidRequest: ${type} ${id} cannot be deleted while ${keptBy} is true`;
  const user = all.find((other) => other !== resource && isUsing(other, resource));
  return user && `DependencyViolation: ${type} ${id} is used by ${user.type} ${user.name}`;
}

function isUsing(other: DoubledResource, { type, id }: DoubledResource): boolean {
  if (type.startsWith("kubernetes:")) {
    const [namespace] = id.split("/");
    return (
      type === "kubernetes:core/v1:Secret" &&
      other.type === BARE_METAL_HOST &&
      id === `${String(namespace)}/${String(at(other.inputs, "spec", "bmc", "credentialsName"))}` &&
      at(other.inputs, "metadata", "namespace") === namespace
    );
  }
  return factsOf(type).isSetting !== true && other.id !== id && refersTo(other.inputs, id);
}

function refersTo(value: unknown, id: string): boolean {
  if (value === id) return true;
  if (Array.isArray(value)) return value.some((inner) => refersTo(inner, id));
  return (
    isObject(value) &&
    Object.entries(value).some(([name, inner]) => !NAMING_INPUTS.has(name) && refersTo(inner, id))
  );
}

function at(values: Values, ...path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), values);
}
