import * as z from "zod";
import { leave, powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { nicQueueSetting } from "./nic-queue-setting.ts";
import { acceleratedSteering, flowTable, packetSteering } from "./packet-steering.ts";

/**
 * rps_flow_cnt: flows that one receive queue keeps track of for Receive Flow Steering: its share of
 * `net.core.rps_sock_flow_entries`. The kernel rounds what is written up to a power of two, so only those are written.
 *
 * @example 65,536 entries over 4 queues: 16,384 each
 */
export const rpsFlowCnt = nicQueueSetting<number>({
  id: "rps_flow_cnt",
  title: "Flows that a receive queue keeps track of",
  unit: "entries",
  direction: "rx",
  risk: { level: "low", what: "8 bytes of kernel memory for each entry (16 since Linux 6.17)" },
  kernelDefault: "0: flows are not followed",
  anchors: { rpk: "32768 divided by the queues", "perftune.py": "32768 divided by the queues" },
  sources: [
    "https://docs.kernel.org/networking/scaling.html#rfs-receive-flow-steering",
    "https://github.com/torvalds/linux/blob/v6.12/net/core/net-sysfs.c",
  ],
  value: z
    .int()
    .min(0)
    .max(2 ** 30)
    .refine((count) => count === 0 || Number.isInteger(Math.log2(count)), "a power of two, or 0"),
  readFile: readCount,

  decide(nic, input) {
    const { facts, profile, current } = input;
    const table = flowTable(nic, facts, profile);
    if (table === undefined) {
      const why = [packetSteering(nic, facts, profile), acceleratedSteering(nic, facts, profile)];
      return leave(why.map(({ because }) => because).join("; "));
    }
    const queues = Math.max(1, nic.rxQueues);
    const value = powerOfTwoAtLeast(table.entries / queues);
    return raiseTo(
      { value, because: `${table.entries} flows over ${queues} queues: ${table.because}` },
      { current, profile },
    );
  },
});
