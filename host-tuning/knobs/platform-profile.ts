import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { parseChosen, readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/firmware/acpi/platform_profile";

/**
 * platform_profile: what the firmware balances power, noise and heat for.
 *
 * The host's value is read with the choices that its firmware offers, the one in force in brackets, as the kernel
 * writes such lists elsewhere; a firmware without "performance" is left alone.
 *
 * @example "low-power [balanced] performance"
 */
export const platformProfile = defineKnob<string>({
  id: "platform_profile",
  title: "What the firmware balances power and heat for",
  family: "cpu",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "more power, heat and fan noise" },
  isReversible: true,
  anchors: { TuneD: "performance in throughput-performance and latency-performance" },
  kernelDefault: "what the firmware set",
  kernelRange: "since Linux 5.12, on machines whose firmware offers it",
  sources: ["https://docs.kernel.org/userspace-api/sysfs-platform_profile.html"],
  value: z.string().regex(/^[a-z-]{1,32}$/, "a profile's name"),

  async read(host) {
    const [current, choices] = await Promise.all([readWord(host, PATH), readWord(host, `${PATH}_choices`)]);
    if (current === undefined) return undefined;
    const offered = (choices ?? "").split(/\s+/).filter((word) => word !== "" && word !== current);
    return [`[${current}]`, ...offered].join(" ");
  },

  desired({ profile, current }) {
    if (profile.preset === "balanced")
      return leave(`host has ${chosenOf(current)}, and the balanced preset has no reason to change it`);
    if (!current.replaceAll(/[[\]]/g, "").split(" ").includes("performance"))
      return leave(`performance is wanted, and the firmware offers ${current}`);
    return setTo("performance", `full power at once, for the ${profile.preset} preset`);
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
  isSatisfied: (current, wanted) => chosenOf(current) === chosenOf(wanted),
  format: chosenOf,
});

function chosenOf(text: string): string {
  return parseChosen(text) ?? text;
}
