import * as z from "zod";

const dnsLabel = z.string().regex(/^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/, "a DNS label");

/** What the service is on Kubernetes, beside that which it is everywhere. */
export const kubernetesServiceSchema = z.strictObject({
  scaling: z
    .strictObject({
      maxReplicas: z.int().min(1).max(1000),
      inFlightPerReplica: z
        .int()
        .min(1)
        .max(100_000)
        .describe("MCP requests being answered by one replica, on average, that replicas are added for"),
    })
    .optional()
    .describe(
      "Between replicas and maxReplicas, by the service's metric mcp_requests_in_flight; the cluster has to serve it at custom.metrics.k8s.io, as prometheus-adapter does",
    ),
  hostPools: z
    .array(dnsLabel)
    .min(1)
    .max(50)
    .optional()
    .describe("Pools whose nodes the service runs on; without it every node that has no taint"),
  hugepages: z
    .strictObject({
      sizeKiB: z.union([z.literal(2048), z.literal(1_048_576)]).default(2048),
      mebibytes: z.int().min(2).max(16_777_216),
    })
    .refine(({ sizeKiB, mebibytes }) => (mebibytes * 1024) % sizeKiB === 0, {
      path: ["mebibytes"],
      error: "is no whole number of pages",
    })
    .optional()
    .describe("Per replica, mounted at /dev/hugepages"),
  devices: z
    .record(
      z
        .string()
        .regex(
          /^[a-z0-9][a-z0-9.-]{0,252}\/[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/,
          'a resource as in "nvidia.com/gpu"',
        ),
      z.int().min(1).max(1024),
    )
    .default({})
    .describe(
      "Per replica, by the name that the node's device plugin gives: nvidia.com/gpu, vpc.amazonaws.com/efa, an SR-IOV pool",
    ),
  networks: z
    .array(
      z
        .string()
        .regex(
          /^([a-z0-9-]+\/)?[a-z0-9][a-z0-9.-]*(@[a-z0-9]{1,15})?$/,
          "a NetworkAttachmentDefinition, NAMESPACE/NAME@INTERFACE",
        ),
    )
    .max(16)
    .default([])
    .describe("Further networks that Multus attaches, as for SR-IOV functions"),
  callerNamespaces: z
    .array(dnsLabel)
    .min(1)
    .max(64)
    .optional()
    .describe("Namespaces whose pods may call the service; without it every pod of the cluster"),
  monitoring: z
    .strictObject({
      namespace: dnsLabel.default("monitoring").describe("Where Prometheus runs: it may read the metrics"),
      labels: z
        .record(z.string().min(1).max(63), z.string().max(63))
        .default({})
        .describe(
          "What Prometheus selects its ServiceMonitors and rules by, as in release: kube-prometheus-stack",
        ),
    })
    .optional()
    .describe("The cluster runs the Prometheus operator: make a ServiceMonitor and rules"),
});
