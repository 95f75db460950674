import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";

/**
 * The cluster that an environment's service runs on. Server-side apply, so that a scaler may own fields of its own. What it
 * depends on is there before all that is made through it, and goes after that.
 */
export function clusterProvider(
  name: string,
  kubeconfig: pulumi.Input<string>,
  opts: pulumi.CustomResourceOptions,
): k8s.Provider {
  return new k8s.Provider(name, { kubeconfig, enableServerSideApply: true }, opts);
}
