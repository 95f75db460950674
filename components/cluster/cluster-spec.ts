import * as z from "zod";

/** Add-ons that every cluster here has; what each is for stands with the component that makes them. */
export const CLUSTER_ADDONS = [
  "vpc-cni",
  "kube-proxy",
  "coredns",
  "eks-pod-identity-agent",
  "aws-ebs-csi-driver",
  "metrics-server",
] as const;

export type ClusterAddon = (typeof CLUSTER_ADDONS)[number];

/** How long CloudWatch can be told to keep a log, days. */
const RETENTION_DAYS = [
  1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 3653,
] as const;

/** An EKS cluster of the environment's own. Who administers it and where it stands are settings of the stack. */
export const clusterSchema = z.strictObject({
  kubernetesVersion: z
    .string()
    .regex(/^1\.(3[3-9]|[4-9]\d)$/, 'a version of Kubernetes from 1.33 on, as in "1.35"')
    .describe("One minor version at a time; EKS takes no step back"),
  endpointAccess: z
    .enum(["private", "public-and-private"])
    .default("private")
    .describe("Whence the API is reached; with private, pulumi has to run inside the VPC"),
  publicAccessCidrs: z
    .array(z.cidrv4("an IPv4 range as in 203.0.113.0/24"))
    .max(40)
    .default([])
    .describe("Who may reach a public endpoint; the whole world has to be named"),
  serviceCidr: z
    .cidrv4("an IPv4 range as in 172.20.0.0/16")
    .default("172.20.0.0/16")
    .describe("Addresses of services; must not overlap with the VPC. Changing it replaces the cluster"),
  logRetentionDays: z.literal(RETENTION_DAYS).default(90),
  addonVersions: z
    .partialRecord(
      z.enum(CLUSTER_ADDONS),
      z.string().regex(/^v\d+\.\d+\.\d+-eksbuild\.\d+$/, 'a version as in "v1.20.4-eksbuild.2"'),
    )
    .default({})
    .describe("Pins an add-on; without it the version that EKS has for this Kubernetes by default"),
});

const LABEL_VALUE = /^([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?$/;
/** Without the domains that the kubelet may not set for itself. */
const LABEL_KEY =
  /^(?!([a-z0-9.-]*\.)?(kubernetes|k8s)\.io\/)([a-z0-9.-]{1,253}\/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** How the hosts of a pool are nodes of the environment's cluster. */
export const eksNodesSchema = z.strictObject({
  nodeGroup: z
    .enum(["managed", "self-managed"])
    .default("managed")
    .describe(
      "managed: EKS replaces nodes and drains them first; self-managed: an Auto Scaling group with everything that a pool can say",
    ),
  labels: z
    .record(
      z.string().regex(LABEL_KEY, "a label key outside kubernetes.io"),
      z.string().regex(LABEL_VALUE, "a label value"),
    )
    .default({}),
  taints: z
    .array(
      z.strictObject({
        key: z.string().regex(LABEL_KEY, "a taint key outside kubernetes.io"),
        value: z.string().regex(LABEL_VALUE, "a label value").default(""),
        effect: z.enum(["NoSchedule", "PreferNoSchedule", "NoExecute"]),
      }),
    )
    .max(50)
    .default([]),
});

export type ClusterSpec = z.output<typeof clusterSchema>;
export type EksNodes = z.output<typeof eksNodesSchema>;
export type NodeTaint = EksNodes["taints"][number];
