import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { type Target, defineKnob } from "./knob.ts";
import { askedOf } from "./nic-targets.ts";
import { VF_FIELDS, functionNic, functionTargets, parseFunctionTarget } from "./vf-settings.ts";
import { entriesFor } from "./virtual-functions.ts";

/** The interface is part of the value, as its name is only known where the function is there. */
const functionMtuSchema = z.preprocess(
  (value) => (typeof value === "number" ? { bytes: value } : value),
  z.strictObject({
    bytes: z.int().min(68).max(65_535),
    netdev: z
      .string()
      .regex(/^[A-Za-z0-9._-]{1,15}$/)
      .optional(),
  }),
);

type FunctionMtu = z.output<typeof functionMtuSchema>;

/**
 * vf.mtu: the largest packet of a virtual function's interface on this host. One that a VM or vfio-pci has is not seen
 * here and sets its own.
 */
export const vfMtu = defineKnob<FunctionMtu>({
  ...VF_FIELDS,
  id: "vf.mtu",
  title: "Largest packet of a virtual function",
  unit: "bytes",
  risk: { level: "medium", what: "where the segment does not carry it, large packets are lost" },
  kernelDefault: "1500",
  sources: ["https://man7.org/linux/man-pages/man8/ip-link.8.html"],
  absentBecause: "the profile asks for no MTU of virtual functions (sriov[].mtuBytes)",
  value: functionMtuSchema,

  targets: (facts, profile) =>
    functionTargets(facts, profile, ({ mtuBytes, driver }) => mtuBytes !== undefined && driver === "network"),

  async read(host, target) {
    const netdev = await interfaceOf(host, target);
    if (netdev === undefined) return undefined;
    const bytes = await readCount(host, pathOf(netdev));
    return bytes === undefined ? undefined : { bytes, netdev };
  },

  desired({ facts, profile, target }) {
    const nic = functionNic(facts, target);
    if (nic === undefined) return leave("the facts do not have this NIC");
    const asked = askedOf(entriesFor(nic, profile).map(({ mtuBytes }) => mtuBytes));
    if (asked.disagree !== undefined) return leave(asked.disagree);
    if (asked.value === undefined) return leave("the profile asks nothing of this function");
    return setTo({ bytes: asked.value }, `the profile asks for ${asked.value} bytes`);
  },

  writes(value, _target, before) {
    const netdev = before.netdev ?? value.netdev;
    return netdev === undefined
      ? []
      : [{ kind: "kernel-file", path: pathOf(netdev), text: `${value.bytes}\n` }];
  },

  isSatisfied: (current, wanted) => current.bytes === wanted.bytes,
  format: ({ bytes }) => String(bytes),
});

async function interfaceOf(host: Host, target: Target): Promise<string | undefined> {
  const parsed = parseFunctionTarget(target);
  if (parsed === undefined) return undefined;
  const names = await host.list(`/sys/class/net/${parsed.nic}/device/virtfn${parsed.index}/net`);
  return names[0];
}

function pathOf(netdev: string): string {
  return `/sys/class/net/${netdev}/mtu`;
}
