import { BlockList } from "node:net";
import type * as k8s from "@pulumi/kubernetes";

type NetworkPolicySpec = k8s.types.input.networking.v1.NetworkPolicySpec;

/** Cloud metadata: whoever reads it has the node's role. */
const METADATA_BLOCKS = [
  { address: "169.254.169.254", prefix: 32 },
  { address: "169.254.170.0", prefix: 24 },
] as const;

/** Traffic that the pods may start beside name lookup and HTTPS. */
export interface OutboundRule {
  readonly cidr: string;
  readonly port: number;
  readonly protocol: "tcp" | "udp";
}

export interface ServiceNetworkPolicyArgs {
  readonly selector: Readonly<Record<string, string>>;
  readonly port: number;
  /** @default - every namespace of the cluster */
  readonly callerNamespaces?: readonly string[] | undefined;
  /** Callers outside the cluster, as a load balancer is. */
  readonly callerCidrs: readonly string[];
  readonly outbound: readonly OutboundRule[];
}

/**
 * What the service's pods may talk to: callers reach its port; it reaches name lookup in the cluster, HTTPS anywhere, and
 * what its pools may reach, never the metadata addresses. Everything else falls to the namespace's default deny.
 */
export function serviceNetworkPolicySpec(args: ServiceNetworkPolicyArgs): NetworkPolicySpec {
  const callers = args.callerNamespaces?.map(namespaceNamed) ?? [{ namespaceSelector: {} }];
  return {
    podSelector: { matchLabels: args.selector },
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      {
        from: [...callers, ...args.callerCidrs.map((cidr) => ({ ipBlock: { cidr } }))],
        ports: [{ port: args.port, protocol: "TCP" }],
      },
    ],
    egress: [
      {
        to: [{ ...namespaceNamed("kube-system"), podSelector: { matchLabels: { "k8s-app": "kube-dns" } } }],
        ports: [
          { port: 53, protocol: "UDP" },
          { port: 53, protocol: "TCP" },
        ],
      },
      ...[{ cidr: "0.0.0.0/0", port: 443, protocol: "tcp" as const }, ...args.outbound].map((rule) => ({
        to: [{ ipBlock: { cidr: rule.cidr, ...exceptMetadata(rule.cidr) } }],
        ports: [{ port: rule.port, protocol: rule.protocol.toUpperCase() }],
      })),
    ],
  };
}

function namespaceNamed(name: string) {
  return { namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } };
}

/** Exceptions have to lie within the block that they are of. */
function exceptMetadata(cidr: string): { readonly except?: string[] } {
  const except = METADATA_BLOCKS.filter(({ address }) => isWithin(address, cidr));
  return except.length === 0 ? {} : { except: except.map(({ address, prefix }) => `${address}/${prefix}`) };
}

/** A range that is nothing but metadata addresses, or a part of them. */
export function isMetadataRange(cidr: string): boolean {
  const [address = ""] = cidr.split("/");
  return METADATA_BLOCKS.some((block) => isWithin(address, `${block.address}/${block.prefix}`));
}

function isWithin(address: string, cidr: string): boolean {
  const [base = "", prefix] = cidr.split("/");
  const range = new BlockList();
  range.addSubnet(base, Number(prefix), "ipv4");
  return range.check(address, "ipv4");
}
