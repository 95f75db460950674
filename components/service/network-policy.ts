import type * as k8s from "@pulumi/kubernetes";

type NetworkPolicySpec = k8s.types.input.networking.v1.NetworkPolicySpec;

/** Cloud metadata: whoever reads it has the node's role. */
const METADATA_ADDRESSES = ["169.254.169.254/32", "169.254.170.0/24"];

/**
 * What the service's pods may talk to: callers reach its port; it reaches name lookup in the cluster and HTTPS anywhere,
 * except the metadata addresses. Everything else falls to the namespace's default deny.
 */
export function serviceNetworkPolicySpec(
  selector: Readonly<Record<string, string>>,
  port: number,
): NetworkPolicySpec {
  return {
    podSelector: { matchLabels: selector },
    policyTypes: ["Ingress", "Egress"],
    ingress: [{ ports: [{ port, protocol: "TCP" }] }],
    egress: [
      {
        to: [
          {
            namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "kube-system" } },
            podSelector: { matchLabels: { "k8s-app": "kube-dns" } },
          },
        ],
        ports: [
          { port: 53, protocol: "UDP" },
          { port: 53, protocol: "TCP" },
        ],
      },
      {
        to: [{ ipBlock: { cidr: "0.0.0.0/0", except: METADATA_ADDRESSES } }],
        ports: [{ port: 443, protocol: "TCP" }],
      },
    ],
  };
}
