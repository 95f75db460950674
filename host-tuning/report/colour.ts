import { styleText } from "node:util";
import type { Outcome } from "./host-report.ts";

export type Tone = "good" | "quiet" | "warning" | "bad" | "strong";

const STYLES = { good: "green", quiet: "gray", warning: "yellow", bad: "red", strong: "bold" } as const;

/** Colour on a terminal, plain text elsewhere and with NO_COLOR. */
export function tint(tone: Tone, text: string, stream: NodeJS.WriteStream = process.stdout): string {
  return styleText(STYLES[tone], text, { stream });
}

const TONES: Readonly<Record<Outcome, Tone>> = {
  changed: "good",
  "already-right": "quiet",
  left: "quiet",
  unsupported: "quiet",
  "needs-reboot": "warning",
  failed: "bad",
};

export function toneOf(outcome: Outcome): Tone {
  return TONES[outcome];
}
