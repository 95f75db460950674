import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { roceOf } from "./dcb.ts";
import { readCount } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { RDMA_CM_FIELDS, netdevOf, rdmaCmFile, rocePorts } from "./rdma-cm.ts";

/**
 * default_roce_tos: the IPv4 type of service (DSCP and ECN) of connections of the RDMA connection manager.
 *
 * NICs and switches map DSCP 8p to 8p+7 to priority p, and vendors use 8p+2. With the ECN bits saying "capable" a switch
 * marks before it stops, which is what RoCE's congestion control goes by. Of several lossless priorities the first.
 *
 * @example priority 3: DSCP 26, 26 * 4 + 2 = 106
 */
export const defaultRoceTos = defineKnob<number>({
  ...RDMA_CM_FIELDS,
  id: "default_roce_tos",
  title: "Type of service of new RDMA connections",
  unit: "text",
  risk: { level: "medium", what: "where the switch maps it to another priority, RoCE is not lossless" },
  kernelDefault: "0",
  sources: [
    "https://www.kernel.org/doc/Documentation/ABI/testing/configfs-rdma_cm",
    "https://datatracker.ietf.org/doc/html/rfc3168#section-5",
  ],
  value: z.int().min(0).max(255),
  targets: rocePorts,
  async read(host, target) {
    const path = rdmaCmFile(target, "default_roce_tos");
    return path === undefined ? undefined : await readCount(host, path);
  },
  desired({ facts, profile, target }) {
    const netdev = netdevOf(target, facts);
    const asked = netdev === undefined ? [] : roceOf(netdev, facts, profile);
    if (asked.some(({ trust }) => trust === "pcp")) {
      return leave("the profile trusts the VLAN tag (pcp), which the type of service does not set");
    }
    const priority = asked.flatMap(({ pfcPriorities }) => pfcPriorities).toSorted((a, b) => a - b)[0];
    if (priority === undefined) return leave("the profile names no lossless priority");
    const dscp = priority * 8 + 2;
    return setTo(
      dscp * 4 + 2,
      `DSCP ${dscp} is priority ${priority}, and switches may mark congestion (ECN)`,
    );
  },
  writes(value, target) {
    const path = rdmaCmFile(target, "default_roce_tos");
    return path === undefined ? [] : [{ kind: "kernel-file", path, text: `${value}\n` }];
  },
});
