import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { askEthtool, unreadableAnswer } from "./ethtool.ts";
import { defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, nicEntries, physicalNics } from "./nic-targets.ts";

const WORDS = /^(?:autoneg (?:on|off) )?rx (?:on|off) tx (?:on|off)$/;

/**
 * Parses `ethtool -a` into the words that `ethtool -A` takes: "autoneg on rx on tx on". What was negotiated (`RX
 * negotiated:`, since 3.16) stands in the place of what was asked for.
 *
 * @returns `undefined` when it is no such text
 */
export function parsePause(text: string): string | undefined {
  const wordOf = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s+(on|off)\\s*$`, "m").exec(text)?.[1];
  const [autoneg, rx, tx] = [wordOf("Autonegotiate"), wordOf("RX"), wordOf("TX")];
  if (!text.includes("Pause parameters for") || rx === undefined || tx === undefined) return undefined;
  const [rxNow, txNow] = [wordOf("RX negotiated") ?? rx, wordOf("TX negotiated") ?? tx];
  return `${autoneg === undefined ? "" : `autoneg ${autoneg} `}rx ${rxNow} tx ${txNow}`;
}

async function readPause(host: Host, nic: string): Promise<string | undefined> {
  const stdout = await askEthtool(host, nic, "-a", "pause frames");
  if (stdout === undefined) return undefined;
  const words = parsePause(stdout);
  if (words === undefined) throw unreadableAnswer(nic, "-a", "pause frames", stdout);
  return words;
}

/**
 * ethtool.pause: may the NIC stop its peer by pause frames when its buffers fill, and be stopped.
 *
 * Left to what the link negotiated, except with RoCE: priority flow control stops one priority, and a NIC does either
 * that or this. All three words are written at once: with autonegotiation on igb takes "rx off" without an error and
 * keeps "on" (measured, Linux 6.1).
 */
export const ethtoolPause = defineKnob<string>({
  id: "ethtool.pause",
  title: "Pause frames of a NIC's link",
  family: "nic",
  unit: "text",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "high", what: "the link is negotiated anew: it is down for seconds" },
  isReversible: true,
  canCutOff: true,
  after: ["sriov_numvfs"],
  kernelDefault: "as negotiated with the peer; on with most drivers",
  anchors: { TuneD: "as the profile's net plugin says (pause)" },
  sources: [
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
    "https://man7.org/linux/man-pages/man8/dcb-pfc.8.html",
  ],
  value: z.string().regex(WORDS, 'words of ethtool -A as in "autoneg off rx off tx off"'),
  targets: physicalNics,
  absentBecause: NO_PHYSICAL_NIC,
  read: (host, target) => readPause(host, target.name),
  desired: (input) =>
    decideNic(input, (nic) => {
      const isLossless = nicEntries(nic, input.profile).some(({ roce }) => roce !== undefined);
      if (!isLossless)
        return leave("as the link negotiated: dropping is TCP's business, and RoCE is not asked for");
      const autoneg = input.current.startsWith("autoneg") ? "autoneg off " : "";
      return setTo(
        `${autoneg}rx off tx off`,
        "RoCE is asked for: priority flow control stops one priority, pause frames would stop the whole link",
      );
    }),
  writes: (value, target, before) => [
    {
      kind: "tool",
      command: ["ethtool", "-A", target.name, ...value.split(" ")],
      undo: ["ethtool", "-A", target.name, ...before.split(" ")],
    },
  ],
});
