import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/**
 * The cluster that an environment's service runs on, or that has its racks. Server-side apply, so that a scaler may own
 * fields of its own. A Secret is changed in place and not replaced: Metal3 holds on to the account of a machine's
 * controller by a finalizer, and deleting it to make it anew would wait for ever. What the provider depends on is there
 * before all that is made through it, and goes after that.
 */
export function clusterProvider(
  name: string,
  kubeconfig: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): k8s.Provider {
  return new k8s.Provider(name, { kubeconfig, enableServerSideApply: true, enableSecretMutable: true }, opts);
}
