import * as z from "zod";
import { TuningError } from "../errors.ts";
import { type DcbAnswer, DCB_FIELDS, askDcb, roceOf, roceTargets } from "./dcb.ts";
import { leave, setTo } from "./desired.ts";
import { type Target, defineKnob } from "./knob.ts";

const PRIORITIES = [0, 1, 2, 3, 4, 5, 6, 7] as const;

const pfcSchema = z.preprocess(
  (value) => (typeof value === "string" ? { priorities: prioritiesIn(value) } : value),
  z.strictObject({
    priorities: z.array(z.int().min(0).max(7)),
    tool: z.enum(["dcb", "mlnx_qos"]).optional(),
  }),
);

type Pfc = z.output<typeof pfcSchema>;

/** "3 4" of an override; "" for none. */
function prioritiesIn(text: string): number[] {
  return text.split(/[ ,]+/).flatMap((word) => (word === "" ? [] : [Number(word)]));
}

/**
 * Priorities with flow control in what a tool printed: "prio-pfc 0:off 1:off 2:off 3:on ..." of dcb, the row "enabled"
 * below "PFC configuration" of mlnx_qos.
 *
 * @returns `undefined` when it is neither
 */
export function parsePfc({ tool, text }: DcbAnswer): number[] | undefined {
  const row =
    tool === "dcb"
      ? /prio-pfc((?:\s+[0-7]:(?:on|off)){8})/.exec(text)?.[1]?.match(/on|off/g)
      : /PFC configuration:[^]*?enabled((?:\s+[01]){8})/.exec(text)?.[1]?.match(/[01]/g);
  return row?.flatMap((word, priority) => (word === "on" || word === "1" ? [priority] : []));
}

/**
 * dcb.pfc: priorities whose traffic a NIC stops instead of losing it when its peer's buffers are full (priority flow
 * control). RoCE loses throughput with every lost packet, and the switch has to stop the same priorities: where it does
 * not, a port that is stopped for good stalls the fabric behind it.
 */
export const dcbPfc = defineKnob<Pfc>({
  ...DCB_FIELDS,
  id: "dcb.pfc",
  title: "Priorities that are stopped and not lost",
  unit: "text",
  risk: { level: "high", what: "where the switch is not set the same way, the fabric can stall" },
  canCutOff: true,
  after: ["sriov_numvfs", "ethtool.pause"],
  kernelDefault: "none",
  kernelRange: "NICs with data centre bridging, iproute2 5.11 or mlnx_qos",
  sources: [
    "https://man7.org/linux/man-pages/man8/dcb-pfc.8.html",
    "https://github.com/Mellanox/nic-configuration-operator/blob/8bfbeb3/README.md",
  ],
  value: pfcSchema,
  targets: roceTargets,

  async read(host, target) {
    const answer = await askDcb(host, target.name, "pfc");
    if (answer === undefined) return undefined;
    const priorities = parsePfc(answer);
    if (priorities === undefined) {
      throw new TuningError(
        "HOST_PARSE",
        target.name,
        `Cannot read flow control of ${target.name}: ${answer.tool} printed ${JSON.stringify(answer.text.slice(0, 200))}`,
      );
    }
    return { priorities, tool: answer.tool };
  },

  desired({ facts, profile, target }) {
    const asked = roceOf(target.name, facts, profile);
    const [first, ...others] = asked.map(({ pfcPriorities }) =>
      [...new Set(pfcPriorities)].toSorted((a, b) => a - b),
    );
    if (first === undefined) return leave("the profile asks for no RoCE on this NIC");
    if (others.some((other) => other.join() !== first.join())) {
      return leave("entries of the profile disagree on this NIC's priorities");
    }
    return setTo(
      { priorities: first },
      `the profile asks for RoCE with priority ${first.join(", ")} lossless; the switch has to do the same`,
    );
  },

  writes: (value, target, before) => [
    {
      kind: "tool",
      command: commandFor(target, value.priorities, before),
      undo: commandFor(target, before.priorities, before),
    },
  ],
  isSatisfied: (current, wanted) => current.priorities.join() === wanted.priorities.join(),
  format: ({ priorities }) => (priorities.length === 0 ? "none" : priorities.join(" ")),
});

function commandFor(
  { name }: Target,
  priorities: readonly number[],
  { tool }: Pfc,
): readonly [string, ...string[]] {
  if (tool === "mlnx_qos") {
    const flags = PRIORITIES.map((priority) => (priorities.includes(priority) ? "1" : "0"));
    return ["mlnx_qos", "-i", name, "--pfc", flags.join(",")];
  }
  const words = PRIORITIES.map((priority) => `${priority}:${priorities.includes(priority) ? "on" : "off"}`);
  return ["dcb", "pfc", "set", "dev", name, "prio-pfc", ...words];
}
