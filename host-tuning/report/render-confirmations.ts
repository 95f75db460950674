import { type Tone, tint } from "./colour.ts";
import type { ConfirmationState } from "./host-report.ts";
import { printable } from "./table.ts";

const TONES: Readonly<Record<ConfirmationState["state"], Tone>> = {
  confirmed: "good",
  waiting: "warning",
  "waiting-for-reboot": "warning",
  "taken-back": "bad",
};

const WORDS: Readonly<Record<ConfirmationState["state"], string>> = {
  confirmed: "confirmed",
  waiting: "not confirmed",
  "waiting-for-reboot": "waits for a reboot",
  "taken-back": "taken back",
};

/** One line for each group of changes that can cut the host off. */
export function renderConfirmations(confirmations: readonly ConfirmationState[]): string[] {
  return confirmations.map(({ state, keys, deadline, because }) => {
    const until =
      state === "waiting" && deadline !== null
        ? `; taken back after ${secondsOf(deadline)} unless confirmed`
        : "";
    return `${tint(TONES[state], WORDS[state])}: ${printable(keys.join(", "))} (${printable(because)})${until}`;
  });
}

/** A time without its fractions of a second. */
export function secondsOf(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}
