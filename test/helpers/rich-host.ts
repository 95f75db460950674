import { KNOBS } from "../../host-tuning/knobs/index.ts";
import type { HostProfile } from "../../host-tuning/profile/host-profile.ts";
import { sampleProfile } from "./facts.ts";
import { type HostTree, createHostRoot, type HostRoot } from "./host-root.ts";
import { STOCK, stockHost } from "./stock-host.ts";

/** A profile with a wish in every family, so that apply writes as much as it can. */
export const RICH_PROFILE: HostProfile = sampleProfile({
  preset: "latency",
  workload: {
    connections: 600_000,
    streams: 600_000,
    connectionsPerSecond: 20_000,
    outboundConnections: 40_000,
    usesMemoryMaps: true,
  },
  service: { listenPorts: [8080, 40_000] },
  cpu: { reserved: "0,8", wakeUpLatencyMicros: 10 },
  hugepages: { perNode: 64 },
  sriov: [{ match: { name: STOCK.nic }, virtualFunctions: 4 }],
});

/**
 * The stock host with every sysctl that the registry knows: those it does not have get the kernel's default, as far as
 * the knob gives it in numbers.
 */
export function richTree(): HostTree {
  const defaults: Record<string, string> = {};
  for (const knob of KNOBS.filter(({ family }) => ["net", "vm", "kernel", "fs"].includes(family))) {
    const numbers = /^\d+(?: \d+)*/.exec(knob.kernelDefault)?.[0];
    if (numbers !== undefined) defaults[`/proc/sys/${knob.id.replaceAll(".", "/")}`] = `${numbers}\n`;
  }
  // The folders of the agent's own books are there, so that what it leaves behind is files alone.
  return { ...defaults, ...stockHost(), "/var/lib/keep": "", "/run/keep": "" };
}

export async function createRichHost(): Promise<HostRoot> {
  return await createHostRoot(richTree());
}
