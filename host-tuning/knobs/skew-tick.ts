import { defineBootArgument } from "./boot-argument.ts";
import { numberArgument } from "./boot-argument-syntax.ts";
import { isolateAtBoot } from "./boot-isolation.ts";
import { leave, setTo } from "./desired.ts";

/**
 * skew_tick: ticks of the CPUs at different moments, so that they do not meet at the same locks. It costs power, as
 * CPUs no longer wake and sleep together, so it is for preset latency with CPUs isolated at boot, where it comes with
 * the one reboot that those need.
 */
export const skewTick = defineBootArgument({
  id: "skew_tick",
  syntax: numberArgument("skew_tick"),
  title: "Timer ticks of the CPUs at different moments",
  unit: "flag",
  risk: { level: "low", what: "CPUs wake at different moments, which costs power" },
  kernelDefault: "0: all at once",
  sources: ["https://docs.kernel.org/admin-guide/kernel-parameters.html"],
  anchors: { TuneD: "1 (network-latency, realtime)", NTO: "1" },
  desired({ facts, profile }) {
    if (profile.preset !== "latency")
      return leave(`it costs power, and preset ${profile.preset} does not count microseconds of jitter`);
    const isolation = isolateAtBoot(facts, profile);
    return isolation.kind === "leave"
      ? leave(`not worth a reboot by itself: ${isolation.because}`)
      : setTo("1", "preset latency: the ticks of many CPUs do not meet at the same locks");
  },
});
