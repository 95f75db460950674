import * as z from "zod";
import { vfKnob } from "./vf-settings.ts";

/** The number is the profile's; priority and protocol are kept so that rollback gives them back. */
const vlanSchema = z.preprocess(
  (value) => (typeof value === "number" ? { id: value } : value),
  z.strictObject({
    id: z.int().min(0).max(4094),
    qos: z.int().min(0).max(7).optional(),
    protocol: z.enum(["802.1Q", "802.1ad"]).optional(),
  }),
);

type Vlan = z.output<typeof vlanSchema>;

/**
 * vf.vlan: the VLAN that a NIC puts a virtual function's packets into; its user neither sees nor leaves it. 0 is none.
 * `ip link` resets the priority of a VLAN that is set without one, so an undo names both.
 */
export const vfVlan = vfKnob<Vlan>({
  id: "vf.vlan",
  title: "VLAN of a virtual function",
  unit: "text",
  risk: { level: "medium", what: "the function leaves the network that it was in" },
  kernelDefault: "0: none",
  sources: ["https://man7.org/linux/man-pages/man8/ip-link.8.html"],
  absentBecause: "the profile names no VLAN of virtual functions (sriov[].vlan)",
  value: vlanSchema,
  asked: ({ vlan }) => (vlan === undefined ? undefined : { id: vlan }),
  of: ({ vlan, qos, protocol }) => ({
    id: vlan,
    ...(qos === 0 ? {} : { qos }),
    ...(protocol === "802.1ad" || protocol === "802.1Q" ? { protocol } : {}),
  }),
  words: ({ id, qos, protocol }) => [
    "vlan",
    String(id),
    ...(qos === undefined ? [] : ["qos", String(qos)]),
    ...(protocol === undefined ? [] : ["proto", protocol]),
  ],
  isSatisfied: (current, wanted) =>
    current.id === wanted.id && (wanted.qos === undefined || current.qos === wanted.qos),
  format: ({ id, qos }) => (qos === undefined ? String(id) : `${id} priority ${qos}`),
});
