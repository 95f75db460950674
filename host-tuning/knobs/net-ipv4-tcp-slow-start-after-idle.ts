import { leave, setTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** Below this round trip even ten restarted round trips cost less than 10 ms. Our choice. */
const LEAST_RTT_MILLIS = 1;

/**
 * net.ipv4.tcp_slow_start_after_idle: does a connection that was idle start again with a small window.
 *
 * An MCP connection is idle while the model thinks and then carries a whole answer, so every answer would start slowly.
 * Measured: 300 KB after 2 s idle at 100 ms round trip takes 612 and 510 ms with 1, 109 and 107 ms with 0. TuneD and
 * saptune set 0 for throughput only, TuneD's network-latency leaves 1; for this traffic 0 helps both, so the round trip
 * decides and not the preset.
 *
 * @example 40 ms round trip: 0; 0.2 ms inside a rack: left as it is
 */
export const netIpv4TcpSlowStartAfterIdle = integerSysctl({
  id: "net.ipv4.tcp_slow_start_after_idle",
  title: "Idle connections start slowly again",
  unit: "flag",
  scope: "netns",
  takesEffect: "now",
  range: [0, 1],
  risk: { level: "low", what: "a burst after idle may overrun a path that has become slower meanwhile" },
  kernelDefault: "1",
  anchors: { TuneD: "network-throughput: 0", saptune: "0" },
  sources: [
    "https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables",
    "https://www.rfc-editor.org/rfc/rfc2861.html",
  ],
  desired({ profile }) {
    const { rttMillis } = profile.workload;
    if (rttMillis < LEAST_RTT_MILLIS)
      return leave(`at ${rttMillis} ms round trip a slow start costs nothing that can be measured`);
    return setTo(
      0,
      `connections idle while a model thinks; starting over costs several round trips of ${rttMillis} ms for every answer`,
    );
  },
});
