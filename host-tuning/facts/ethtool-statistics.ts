import type { Host } from "../sys/host.ts";

/**
 * ENA counters that no setting of the host can bring down: what the instance type allows was exceeded, or (rx_overruns)
 * the device had no buffer.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html
 */
export const ALLOWANCE_COUNTERS = [
  "bw_in_allowance_exceeded",
  "bw_out_allowance_exceeded",
  "conntrack_allowance_exceeded",
  "linklocal_allowance_exceeded",
  "pps_allowance_exceeded",
  "rx_overruns",
] as const;

/** Parses `ethtool -S`: "     bw_in_allowance_exceeded: 0". A queue's counters have its number in front. */
export function parseEthtoolStatistics(text: string): ReadonlyMap<string, number> {
  const counters = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [, name, value] = /^\s+(\S.*?):\s+(\d{1,20})\s*$/.exec(line) ?? [];
    if (name !== undefined && value !== undefined) counters.set(name, Number(value));
  }
  return counters;
}

/** Counters of a NIC that its driver keeps; `undefined` without ethtool, on a captured tree, or where it has none. */
export async function readEthtoolStatistics(
  host: Host,
  nic: string,
): Promise<ReadonlyMap<string, number> | undefined> {
  const result = await host.runTool("ethtool", ["-S", nic]);
  return result?.exitCode === 0 ? parseEthtoolStatistics(result.stdout) : undefined;
}

/** The allowances that a NIC has gone beyond since its driver was loaded. */
export async function readExceeded(host: Host, nic: string): Promise<Record<string, number>> {
  const counters = await readEthtoolStatistics(host, nic);
  return Object.fromEntries(
    ALLOWANCE_COUNTERS.flatMap((name) => {
      const value = counters?.get(name) ?? 0;
      return value > 0 ? [[name, value] as const] : [];
    }),
  );
}
