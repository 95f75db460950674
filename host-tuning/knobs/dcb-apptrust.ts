import * as z from "zod";
import { TuningError } from "../errors.ts";
import { type DcbAnswer, DCB_FIELDS, askDcb, roceOf, roceTargets } from "./dcb.ts";
import { leave, setTo } from "./desired.ts";
import { type Target, defineKnob } from "./knob.ts";
import { askedOf } from "./nic-targets.ts";

const trustSchema = z.preprocess(
  (value) => (typeof value === "string" ? { order: value } : value),
  z.strictObject({
    order: z.string().regex(/^((dscp|pcp)( (dscp|pcp))?)?$/, '"dscp", "pcp", both, or "" for none'),
    tool: z.enum(["dcb", "mlnx_qos"]).optional(),
  }),
);

type Trust = z.output<typeof trustSchema>;

/**
 * What a NIC trusts in what a tool printed: "order dscp pcp" of dcb, "Priority trust state: dscp" of mlnx_qos.
 *
 * @returns `undefined` when it is neither
 */
export function parseTrust({ tool, text }: DcbAnswer): string | undefined {
  if (tool === "mlnx_qos") return /^Priority trust state: (dscp|pcp)\s*$/m.exec(text)?.[1];
  return /^\s*order\b([a-z ]*)$/m
    .exec(text.trim() === "" ? "order" : text)?.[1]
    ?.trim()
    .split(/\s+/)
    .join(" ");
}

/**
 * dcb.apptrust: which field of a packet gives it its priority: the DSCP of its IP header, or the PCP of its VLAN tag.
 * RoCE v2 crosses routers, which keep the first and lose the second, so dscp unless the profile says otherwise.
 */
export const dcbApptrust = defineKnob<Trust>({
  ...DCB_FIELDS,
  id: "dcb.apptrust",
  title: "Field that gives a packet its priority",
  unit: "text",
  risk: { level: "medium", what: "traffic is sorted into other priorities than the switch sorts it into" },
  kernelDefault: "pcp with mlx5",
  kernelRange: "NICs with data centre bridging, iproute2 6.3 and Linux 6.3, or mlnx_qos",
  sources: [
    "https://man7.org/linux/man-pages/man8/dcb-apptrust.8.html",
    "https://github.com/Mellanox/nic-configuration-operator/blob/8bfbeb3/README.md",
  ],
  value: trustSchema,
  targets: roceTargets,

  async read(host, target) {
    const answer = await askDcb(host, target.name, "apptrust");
    if (answer === undefined) return undefined;
    const order = parseTrust(answer);
    if (order === undefined) {
      throw new TuningError(
        "HOST_PARSE",
        target.name,
        `Cannot read trust of ${target.name}: ${answer.tool} printed ${JSON.stringify(answer.text.slice(0, 200))}`,
      );
    }
    return { order, tool: answer.tool };
  },

  desired({ facts, profile, target }) {
    const asked = askedOf(roceOf(target.name, facts, profile).map(({ trust }) => trust));
    if (asked.disagree !== undefined) return leave(asked.disagree);
    if (asked.value === undefined) return leave("the profile asks for no RoCE on this NIC");
    return setTo({ order: asked.value }, `the profile asks for RoCE that trusts ${asked.value}`);
  },

  writes: (value, target, before) => [
    {
      kind: "tool",
      command: commandFor(target, value.order, before),
      undo: commandFor(target, before.order, before),
    },
  ],
  isSatisfied: (current, wanted) => current.order === wanted.order,
  format: ({ order }) => (order === "" ? "none" : order),
});

function commandFor({ name }: Target, order: string, { tool }: Trust): readonly [string, ...string[]] {
  if (tool === "mlnx_qos") return ["mlnx_qos", "-i", name, "--trust", order];
  if (order === "") return ["dcb", "apptrust", "flush", "dev", name, "order"];
  return ["dcb", "apptrust", "set", "dev", name, "order", ...order.split(" ")];
}
