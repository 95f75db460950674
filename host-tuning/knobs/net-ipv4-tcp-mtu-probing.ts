import { leave, raiseTo } from "./desired.ts";
import { allEvidence, counted } from "./kernel-counters.ts";
import { serviceNic } from "./socket-buffer.ts";
import { integerSysctl } from "./sysctl-knob.ts";

const ETHERNET_MTU_BYTES = 1500;

/** From here on the path leaves the site, and with it whoever answers "fragmentation needed". Our choice. */
const LEAST_RTT_MILLIS = 5;

/**
 * net.ipv4.tcp_mtu_probing: 1 makes TCP try smaller packets on a path that swallows large ones without a word.
 *
 * Tunnels and VPNs carry less than 1500 bytes and jumbo frames end at a router; where the ICMP message that says so is
 * filtered, a connection opens and then hangs at its first large answer. 1 costs nothing until that happens; 2 probes
 * always and is nobody's need.
 *
 * @example 40 ms round trip: 1; 1 ms with a 9001-byte NIC: 1; 1 ms with 1500 bytes: left
 */
export const netIpv4TcpMtuProbing = integerSysctl({
  id: "net.ipv4.tcp_mtu_probing",
  title: "Smaller packets where large ones vanish",
  unit: "enum",
  scope: "netns",
  takesEffect: "new-sockets",
  range: [0, 2],
  risk: { level: "low", what: "a path that only loses packets may be taken for one that needs smaller ones" },
  kernelDefault: "0",
  evidence: allEvidence(
    counted("/proc/net/netstat", ["TcpExt.TCPMTUPSuccess", "TcpExt.TCPMTUPFail"]),
    counted("/proc/net/snmp", ["Icmp.InDestUnreachs"]),
  ),
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://www.rfc-editor.org/rfc/rfc4821.html",
  ],
  desired(input) {
    const { rttMillis } = input.profile.workload;
    const mtuBytes = Math.max(
      serviceNic(input.facts)?.mtuBytes ?? 0,
      ...input.profile.nics.map((nic) => nic.mtuBytes ?? 0),
    );
    if (mtuBytes > ETHERNET_MTU_BYTES)
      return raiseTo({ value: 1, because: `packets of ${mtuBytes} bytes end at the first router` }, input);
    if (rttMillis < LEAST_RTT_MILLIS)
      return leave(`at ${rttMillis} ms round trip and ${ETHERNET_MTU_BYTES} bytes no tunnel is expected`);
    const because = `at ${rttMillis} ms round trip clients may sit behind tunnels that carry less than ${ETHERNET_MTU_BYTES} bytes and filter ICMP`;
    return raiseTo({ value: 1, because }, input);
  },
});
