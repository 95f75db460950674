import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { OwnerTags } from "../tags/owner-tags.ts";
import type { ClusterAddon, ClusterSpec } from "./cluster-spec.ts";

interface AddonNeeds {
  /** Its pods are one per node, so that it is complete without any: it is there before the first node. */
  readonly isDaemon: boolean;
  /** Its service account in kube-system, and AWS' own policy for it. */
  readonly identity?: { readonly serviceAccount: string; readonly policy: string };
  /** Its settings, by the add-on's own schema. */
  readonly configuration?: (tags: OwnerTags) => Record<string, unknown>;
}

/** What each add-on is for, and what it has to be told. */
const ADDONS: Readonly<Record<ClusterAddon, AddonNeeds>> = {
  // Addresses of the VPC for pods. It also enforces network policies, once it is told to: without that they are paper.
  "vpc-cni": {
    isDaemon: true,
    identity: { serviceAccount: "aws-node", policy: "AmazonEKS_CNI_Policy" },
    configuration: (tags) => ({
      enableNetworkPolicy: "true",
      env: { ADDITIONAL_ENI_TAGS: JSON.stringify(tags) },
    }),
  },
  "kube-proxy": { isDaemon: true },
  // Credentials for the service accounts of the others, and of nobody else on the node.
  "eks-pod-identity-agent": { isDaemon: true },
  coredns: { isDaemon: false },
  "aws-ebs-csi-driver": {
    isDaemon: false,
    identity: { serviceAccount: "ebs-csi-controller-sa", policy: "service-role/AmazonEBSCSIDriverPolicy" },
    configuration: (tags) => ({ controller: { extraVolumeTags: tags } }),
  },
  // Use of CPU, which the service's scaler looks at beside its own metric.
  "metrics-server": { isDaemon: false },
};

export interface ClusterAddonsArgs {
  readonly clusterName: pulumi.Input<string>;
  readonly spec: ClusterSpec;
  readonly partition: pulumi.Input<string>;
  readonly tags: OwnerTags;
  /** Those that run on every node, before there is one; or the others, which need nodes to run on. */
  readonly kind: "daemons" | "workloads";
  /** What has to be there before them. */
  readonly after: readonly pulumi.Resource[];
}

/** Makes the add-ons of one kind, each with a role of its own where it calls AWS. */
export function makeClusterAddons(
  name: string,
  args: ClusterAddonsArgs,
  opts: Pick<pulumi.CustomResourceOptions, "parent" | "provider">,
): readonly aws.eks.Addon[] {
  return Object.entries(ADDONS)
    .filter(([, { isDaemon }]) => isDaemon === (args.kind === "daemons"))
    .map(([addonName, needs]) => makeAddon(name, addonName as ClusterAddon, needs, args, opts));
}

function makeAddon(
  name: string,
  addonName: ClusterAddon,
  { identity, configuration }: AddonNeeds,
  args: ClusterAddonsArgs,
  opts: Pick<pulumi.CustomResourceOptions, "parent" | "provider">,
): aws.eks.Addon {
  const { clusterName, spec, tags } = args;
  return new aws.eks.Addon(
    `${name}-${addonName}`,
    {
      clusterName,
      addonName,
      addonVersion: spec.addonVersions[addonName] ?? defaultVersion(addonName, spec, opts),
      resolveConflictsOnCreate: "OVERWRITE",
      resolveConflictsOnUpdate: "OVERWRITE",
      ...(configuration === undefined ? {} : { configurationValues: JSON.stringify(configuration(tags)) }),
      ...(identity === undefined
        ? {}
        : {
            podIdentityAssociations: [
              {
                serviceAccount: identity.serviceAccount,
                roleArn: makeAddonRole(`${name}-${addonName}`, identity, args, opts).arn,
              },
            ],
          }),
      tags,
    },
    { ...opts, dependsOn: [...args.after] },
  );
}

/** What EKS installs with this Kubernetes where nobody names a version. */
function defaultVersion(
  addonName: ClusterAddon,
  { kubernetesVersion }: ClusterSpec,
  opts: pulumi.InvokeOptions,
): pulumi.Output<string> {
  return aws.eks.getAddonVersionOutput({ addonName, kubernetesVersion, mostRecent: false }, opts).version;
}

/** A role that the add-on's service account gets, and no other account of the cluster. */
function makeAddonRole(
  name: string,
  identity: NonNullable<AddonNeeds["identity"]>,
  { partition, tags }: ClusterAddonsArgs,
  opts: Pick<pulumi.CustomResourceOptions, "parent" | "provider">,
): aws.iam.Role {
  const role = new aws.iam.Role(
    name,
    {
      description: `Add-on ${identity.serviceAccount} of an EKS cluster`,
      assumeRolePolicy: JSON.stringify({
        Version: "2012-10-17",
        Statement: [
          {
            Effect: "Allow",
            Principal: { Service: "pods.eks.amazonaws.com" },
            Action: ["sts:AssumeRole", "sts:TagSession"],
            Condition: {
              StringEquals: {
                "aws:RequestTag/kubernetes-namespace": "kube-system",
                "aws:RequestTag/kubernetes-service-account": identity.serviceAccount,
              },
            },
          },
        ],
      }),
      tags,
    },
    opts,
  );
  new aws.iam.RolePolicyAttachment(
    name,
    { role: role.name, policyArn: pulumi.interpolate`arn:${partition}:iam::aws:policy/${identity.policy}` },
    opts,
  );
  return role;
}
