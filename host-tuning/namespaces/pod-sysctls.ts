import type { HostFacts } from "../facts/host-facts.ts";
import { sysctlsOfNewNamespace } from "../knobs/namespaced-sysctls.ts";
import type { HostProfile } from "../profile/host-profile.ts";

/**
 * Sysctls that a pod may ask for without the kubelet's leave, with the minor version of Kubernetes 1 that has them so.
 * Compared with pkg/kubelet/sysctl of v1.26 to v1.34: the list of each.
 *
 * @see https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/#safe-and-unsafe-sysctls
 */
const SAFE_SINCE: ReadonlyMap<string, number> = new Map([
  ["net.ipv4.ip_local_port_range", 11],
  ["net.ipv4.ip_local_reserved_ports", 27],
  ["net.ipv4.tcp_fin_timeout", 29],
  ["net.ipv4.tcp_keepalive_intvl", 29],
  ["net.ipv4.tcp_keepalive_probes", 29],
  ["net.ipv4.tcp_keepalive_time", 29],
  ["net.ipv4.tcp_rmem", 32],
  ["net.ipv4.tcp_wmem", 32],
]);

/** A version as "1.34"; @throws never, an unknown form is `undefined`. */
export function parseKubernetesVersion(text: string): number | undefined {
  const minor = /^v?1\.(\d{1,3})(?:[.+-].*)?$/.exec(text)?.[1];
  return minor === undefined ? undefined : Number(minor);
}

export interface PodSysctl {
  readonly name: string;
  readonly value: string;
  readonly because: string;
}

export interface PodSysctls {
  readonly safe: readonly PodSysctl[];
  /** The kubelet refuses the pod (SysctlForbidden) unless its allowedUnsafeSysctls names them. */
  readonly unsafe: readonly PodSysctl[];
}

/**
 * Pure. What a pod of the service has to ask for so that the host's tuning holds inside it too, by what Kubernetes of
 * this minor version takes for safe. A pod with hostNetwork needs none of it, and may not ask.
 *
 * @example podSysctls(facts, profile, 34).unsafe holds net.core.somaxconn; its name goes into allowedUnsafeSysctls
 */
export function podSysctls(facts: HostFacts, profile: HostProfile, minorVersion: number): PodSysctls {
  const sysctls = sysctlsOfNewNamespace(facts, profile).map(({ knob, value, because }) => ({
    name: knob.id,
    value,
    because,
  }));
  const isSafe = ({ name }: PodSysctl): boolean => minorVersion >= (SAFE_SINCE.get(name) ?? Infinity);
  return { safe: sysctls.filter(isSafe), unsafe: sysctls.filter((sysctl) => !isSafe(sysctl)) };
}
