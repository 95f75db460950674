import path from "node:path";
import * as pulumi from "@pulumi/pulumi";
import { expect, test } from "vitest";
import { constructEnvironment } from "../../../components/provider/construct-environment.ts";
import { prod } from "../../../stacks/prod.ts";
import { ARCHIVES } from "../../helpers/preview-environment.ts";
import { rackEnvironment } from "../hosts/metal3/rack-environment.ts";

const archiveManifest = path.resolve(import.meta.dirname, "../../..", ARCHIVES);

/** What the component refuses its inputs for: `path: message`. */
async function faultsOf(inputs: pulumi.Inputs): Promise<readonly string[]> {
  const refusal: unknown = await constructEnvironment("given", { archiveManifest, ...inputs }, {}).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!pulumi.InputPropertiesError.isInstance(refusal)) throw new Error(`Refused by ${String(refusal)}`);
  return (refusal.errors ?? []).map(({ propertyPath, reason }) => `${propertyPath}: ${reason}`);
}

const serving = prod.hostPools.find(({ where }) => where === "aws");
const withCluster = {
  ...prod,
  cluster: { kubernetesVersion: "1.35" },
  hostPools: [{ ...serving, eks: {} }],
};

test.each<[string, pulumi.Inputs, string[]]>([
  [
    "a service without a cluster",
    { spec: prod },
    [
      'spec.service.runtime: "kubernetes" needs a cluster: give the environment the key cluster, or give the input kubeconfig (secret)',
    ],
  ],
  [
    "a cluster of its own without administrators, beside another's kubeconfig",
    { spec: withCluster, kubeconfig: "{}" },
    [
      "spec.cluster: has no administrators: give the input clusterAdministrators an ARN, of the IAM role that runs pulumi first",
      "spec.cluster: is the environment's own, and the input kubeconfig names another: remove one",
    ],
  ],
  [
    "racks without the cluster that runs them and without accounts",
    { spec: rackEnvironment() },
    [
      'spec.hostPools[0].where: "metal3" needs the cluster that runs it: give the input kubeconfig (secret)',
      ...[0, 1].map(
        (index) =>
          `spec.hostPools[0].hosts[${index}]: the input bmcCredentials (secret) has no "rack-serving-r1u${index + 1}": give it a username and a password`,
      ),
    ],
  ],
])(
  "constructEnvironment() fails for %s, naming inputs and no keys of a stack",
  async (_what, inputs, told) => {
    expect(await faultsOf(inputs)).toEqual(told);
  },
);
