import type { Tone } from "./colour.ts";
import type { ConfirmationState } from "./host-report.ts";
import { renderNote } from "./render-note.ts";

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

/** Some lines for each group of changes that can cut the host off. */
export function renderConfirmations(confirmations: readonly ConfirmationState[]): string[] {
  return confirmations.flatMap(({ state, keys, deadline, because }) => {
    const until =
      state === "waiting" && deadline !== null
        ? `; taken back after ${secondsOf(deadline)} unless confirmed`
        : "";
    return renderNote(TONES[state], WORDS[state], `${keys.join(", ")} (${because})${until}`);
  });
}

/** A time without its fractions of a second. */
export function secondsOf(time: string): string {
  return time.replace(/\.\d+Z$/, "Z");
}
