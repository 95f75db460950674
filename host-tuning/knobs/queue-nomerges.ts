import { leave, setTo } from "./desired.ts";
import { isNetworkDisk } from "./disk.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/**
 * queue/nomerges: how hard the kernel looks for a request that a new one can be joined to. 0 looks everywhere, 1 takes
 * only the last request of the same submitter, 2 never joins.
 *
 * rpk and perftune.py set 2, since their database submits large requests by itself. A service that goes through the page
 * cache does not: its write-back is joined here, and a disk that is billed or limited by requests (EBS) needs that. So
 * only local NVMe under the latency preset gives up the search, and keeps the one try that costs nothing.
 */
export const queueNomerges = queueFileKnob({
  file: "nomerges",
  title: "How hard the kernel looks for requests to join",
  unit: "enum",
  least: 0,
  most: 2,
  risk: { level: "low", what: "small writes reach the disk as more requests" },
  kernelDefault: "0",
  anchors: { rpk: "2", "perftune.py": "2" },
  sources: [SYSFS_BLOCK, "https://github.com/scylladb/seastar/blob/525fcc86/scripts/perftune.py"],

  rule({ device, profile, current }) {
    if (current === 2) return leave("somebody chose 2, which gives up joining altogether");
    if (profile.preset !== "latency") {
      return leave(`joined requests are fewer requests, which is what the preset ${profile.preset} is for`);
    }
    if (device.kind !== "nvme") return leave("only local NVMe takes more requests at no cost");
    if (isNetworkDisk(device)) return leave("a network disk is limited by requests a second");
    return setTo(1, "local NVMe: no search through all that waits, only the last request is tried");
  },
});
