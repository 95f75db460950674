import { adaptiveKnob } from "./ethtool-coalesce.ts";

/** ethtool.coalesce.adaptive-rx: the driver finds the delay of its receive interrupts by itself. */
export const ethtoolCoalesceAdaptiveRx = adaptiveKnob("rx");
