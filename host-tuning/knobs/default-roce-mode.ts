import * as z from "zod";
import { setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { RDMA_CM_FIELDS, rdmaCmFile, rocePorts } from "./rdma-cm.ts";

/**
 * default_roce_mode: which RoCE a connection of the RDMA connection manager uses. RoCE v2 is IP and UDP, crosses routers
 * and has a DSCP; v1 is a bare Ethernet frame.
 */
export const defaultRoceMode = defineKnob<string>({
  ...RDMA_CM_FIELDS,
  id: "default_roce_mode",
  title: "RoCE version of new RDMA connections",
  unit: "enum",
  risk: { level: "low", what: "peers that only know v1 are not reached" },
  kernelDefault: "RoCE v2 where the port has it",
  sources: [
    "https://www.kernel.org/doc/Documentation/ABI/testing/configfs-rdma_cm",
    "https://github.com/torvalds/linux/blob/v6.12/drivers/infiniband/core/cma_configfs.c",
  ],
  value: z.enum(["IB/RoCE v1", "RoCE v2"]),
  targets: rocePorts,
  async read(host, target) {
    const path = rdmaCmFile(target, "default_roce_mode");
    return path === undefined ? undefined : await readWord(host, path);
  },
  desired: () => setTo("RoCE v2", "the profile asks for RoCE: v2 has a DSCP and crosses routers"),
  writes(value, target) {
    const path = rdmaCmFile(target, "default_roce_mode");
    return path === undefined ? [] : [{ kind: "kernel-file", path, text: `${value}\n` }];
  },
});
