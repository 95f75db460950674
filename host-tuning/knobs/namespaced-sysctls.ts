import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type AnyKnob, WHOLE_HOST } from "./knob.ts";
import { netCoreSomaxconn } from "./net-core-somaxconn.ts";
import { netIpv4IpLocalPortRange } from "./net-ipv4-ip-local-port-range.ts";
import { netIpv4IpLocalReservedPorts } from "./net-ipv4-ip-local-reserved-ports.ts";
import { netIpv4TcpKeepaliveIntvl } from "./net-ipv4-tcp-keepalive-intvl.ts";
import { netIpv4TcpKeepaliveProbes } from "./net-ipv4-tcp-keepalive-probes.ts";
import { netIpv4TcpKeepaliveTime } from "./net-ipv4-tcp-keepalive-time.ts";
import { netIpv4TcpMaxSynBacklog } from "./net-ipv4-tcp-max-syn-backlog.ts";
import { netIpv4TcpMtuProbing } from "./net-ipv4-tcp-mtu-probing.ts";
import { netIpv4TcpNotsentLowat } from "./net-ipv4-tcp-notsent-lowat.ts";
import { netIpv4TcpRetries2 } from "./net-ipv4-tcp-retries2.ts";
import { netIpv4TcpSlowStartAfterIdle } from "./net-ipv4-tcp-slow-start-after-idle.ts";
import { netIpv4TcpTwReuse } from "./net-ipv4-tcp-tw-reuse.ts";

/**
 * Sysctls of which every network namespace has its own, and what a new one starts with, whatever the host has
 * (measured on Linux 6.1). tcp_max_syn_backlog starts by memory, with 128 at least. tcp_rmem, tcp_wmem and
 * tcp_congestion_control are not here: a new namespace takes the host's.
 */
const NAMESPACED: readonly (readonly [knob: AnyKnob, fresh: number | string])[] = [
  [netCoreSomaxconn, 4096],
  [netIpv4IpLocalPortRange, "32768 60999"],
  [netIpv4IpLocalReservedPorts, ""],
  [netIpv4TcpKeepaliveIntvl, 75],
  [netIpv4TcpKeepaliveProbes, 9],
  [netIpv4TcpKeepaliveTime, 7200],
  [netIpv4TcpMaxSynBacklog, 128],
  [netIpv4TcpMtuProbing, 0],
  [netIpv4TcpNotsentLowat, 4_294_967_295],
  [netIpv4TcpRetries2, 15],
  [netIpv4TcpSlowStartAfterIdle, 1],
  [netIpv4TcpTwReuse, 2],
];

/** One sysctl that a namespace needs, as text. */
export interface NamespacedSysctl {
  readonly knob: AnyKnob;
  readonly value: string;
  readonly because: string;
}

/** A sysctl's value as sysctl(8) takes it; every value of those knobs is a number or a text. */
export function sysctlText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

export function namespacedKnobs(): readonly AnyKnob[] {
  return NAMESPACED.map(([knob]) => knob);
}

/**
 * Pure. What a new network namespace of the service has to be given, because it starts with the kernel's defaults and
 * not with the host's values: the same rules as for the host, and the profile's overrides.
 */
export function sysctlsOfNewNamespace(facts: HostFacts, profile: HostProfile): NamespacedSysctl[] {
  return NAMESPACED.flatMap(([knob, fresh]) => {
    const override = profile.overrides[knob.id];
    if (override !== undefined) {
      if ("leave" in override) return [];
      const value = sysctlText(knob.value.parse(override.value));
      return value === String(fresh) ? [] : [{ knob, value, because: `profile: ${override.because}` }];
    }
    const desired = knob.desired({ facts, profile, current: fresh, target: WHOLE_HOST });
    if (desired.kind === "leave" || sysctlText(desired.value) === String(fresh)) return [];
    return [{ knob, value: sysctlText(desired.value), because: desired.because }];
  });
}
