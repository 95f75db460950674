import { leave, raiseTo } from "./desired.ts";
import { flowTable } from "./packet-steering.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * net.core.rps_sock_flow_entries: flows of the whole host whose reading CPU the kernel remembers (Receive Flow Steering).
 *
 * Only where some NIC's packets are steered in software, or by the NIC itself: else nothing reads the table. The kernel
 * rounds what is written up to a power of two, so only those are written.
 */
export const netCoreRpsSockFlowEntries = integerSysctl({
  id: "net.core.rps_sock_flow_entries",
  title: "Flows whose reading CPU the kernel remembers",
  unit: "entries",
  scope: "host",
  takesEffect: "now",
  phase: "late",
  range: [0, 2 ** 29],
  risk: { level: "low", what: "4 bytes of kernel memory for each entry" },
  kernelDefault: "0: flows are not followed",
  anchors: { rpk: "32768", "perftune.py": "32768" },
  sources: [
    "https://docs.kernel.org/networking/scaling.html#rfs-receive-flow-steering",
    "https://github.com/torvalds/linux/blob/v6.12/net/core/sysctl_net_core.c",
  ],
  desired({ facts, profile, current }) {
    const tables = facts.nics
      .filter((nic) => nic.isPhysical)
      .flatMap((nic) => flowTable(nic, facts, profile) ?? []);
    const largest = tables.toSorted((a, b) => b.entries - a.entries)[0];
    if (largest === undefined) {
      return leave("no NIC's packets are steered, so nothing would read the table");
    }
    return raiseTo({ value: largest.entries, because: largest.because }, { current, profile });
  },
});
