import type { Host } from "../sys/host.ts";
import type { MetricFamily, Sample } from "./metric-family.ts";

/** Driver of the network interfaces of EC2 instances. */
const DRIVER = "ena";

/**
 * What the instance asked of its network beyond what its type allows, counted by the ENA driver: packets that were
 * queued or dropped for it. Only `ethtool -S` has these.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/monitoring-network-performance-ena.html
 */
export async function readEnaAllowances(host: Host): Promise<MetricFamily[]> {
  const exceeded: Sample[] = [];
  const available: Sample[] = [];
  for (const device of await host.list("/sys/class/net")) {
    const driver = await host.realPath(`/sys/class/net/${device}/device/driver`);
    if (driver?.split("/").at(-1) !== DRIVER) continue;
    const result = await host.runTool("ethtool", ["-S", device]);
    if (result?.exitCode !== 0) continue;
    for (const [name, value] of parseStatistics(result.stdout)) {
      const allowance = /^(\w+)_allowance_exceeded$/.exec(name)?.[1];
      if (allowance !== undefined) exceeded.push({ labels: { device, allowance }, value });
      if (name === "conntrack_allowance_available") available.push({ labels: { device }, value });
    }
  }
  return [
    {
      name: "bedplate_ena_allowance_exceeded_packets_total",
      type: "counter",
      help: "Packets queued or dropped because the instance's network allowance was exceeded.",
      samples: exceeded,
    },
    {
      name: "bedplate_ena_conntrack_allowance_available",
      type: "gauge",
      help: "Tracked connections that the instance may still open.",
      samples: available,
    },
  ];
}

/** Lines of `ethtool -S`: "     bw_in_allowance_exceeded: 12". */
export function parseStatistics(text: string): [name: string, value: number][] {
  return [...text.matchAll(/^\s+([\w.[\]-]+): (\d+)$/gm)].map(([, name = "", value]) => [
    name,
    Number(value),
  ]);
}
