import * as pulumi from "@pulumi/pulumi";
import type { Properties } from "./bedplate-provider.ts";

/**
 * Secrets as the engine sends them: a value inside an object that says so. Resources here work with plain values, and what
 * they answer is marked where the engine's own inputs were, as the engine does for providers that know no secrets.
 */

/** The value as it is meant, with no secret marked in it. */
export function withoutSecretMarks(value: unknown): unknown {
  if (pulumi.runtime.isRpcSecret(value)) return withoutSecretMarks(pulumi.runtime.unwrapRpcSecret(value));
  if (Array.isArray(value)) return value.map(withoutSecretMarks);
  return isMap(value) ? mapValues(value, withoutSecretMarks) : value;
}

/** What a resource answered, with every key secret that is, or holds, a secret in the inputs. */
export function withSecretMarksOf(inputs: Properties, answer: Properties): Properties {
  return mapValues(answer, (value, key) => {
    const input = inputs[key];
    if (isPlainMap(input) && isMap(value)) return withSecretMarksOf(input, value);
    if (value === undefined || !holdsSecret(input)) return value;
    return { [pulumi.runtime.specialSigKey]: pulumi.runtime.specialSecretSig, value };
  });
}

function holdsSecret(value: unknown): boolean {
  if (pulumi.runtime.isRpcSecret(value)) return true;
  if (Array.isArray(value)) return value.some(holdsSecret);
  return isMap(value) && Object.values(value).some(holdsSecret);
}

function isMap(value: unknown): value is Properties {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isPlainMap(value: unknown): value is Properties {
  return isMap(value) && !pulumi.runtime.isRpcSecret(value);
}

function mapValues(map: Properties, change: (value: unknown, key: string) => unknown): Properties {
  return Object.fromEntries(Object.entries(map).map(([key, value]) => [key, change(value, key)]));
}
