import * as k8s from "@pulumi/kubernetes";
import type * as pulumi from "@pulumi/pulumi";
import type { OwnerTags } from "../tags/owner-tags.ts";

/**
 * The volumes that a claim gets which names no class: gp3, encrypted with the environment's key, in the zone of the pod that
 * uses them. EKS marks no class of its own as the default one.
 *
 * The key lets everybody of the account use it through EC2, so the driver's role needs no more than AWS' own policy.
 *
 * @see https://github.com/kubernetes-sigs/aws-ebs-csi-driver/blob/master/docs/parameters.md
 */
export function storageClassInputs(keyArn: pulumi.Input<string>, tags: OwnerTags) {
  return {
    metadata: {
      name: "bedplate-encrypted",
      labels: { "app.kubernetes.io/managed-by": "bedplate", ...tags },
      annotations: { "storageclass.kubernetes.io/is-default-class": "true" },
    },
    provisioner: "ebs.csi.aws.com",
    parameters: { type: "gp3", encrypted: "true", kmsKeyId: keyArn },
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
    allowVolumeExpansion: true,
  };
}

/** Makes the default class of an environment's own cluster. */
export function makeStorageClass(
  name: string,
  { keyArn, tags }: { readonly keyArn: pulumi.Input<string>; readonly tags: OwnerTags },
  opts: pulumi.CustomResourceOptions,
): k8s.storage.v1.StorageClass {
  return new k8s.storage.v1.StorageClass(name, storageClassInputs(keyArn, tags), opts);
}
