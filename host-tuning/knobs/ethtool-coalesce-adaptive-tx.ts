import { adaptiveKnob } from "./ethtool-coalesce.ts";

/** ethtool.coalesce.adaptive-tx: the driver finds the delay of its transmit interrupts by itself. */
export const ethtoolCoalesceAdaptiveTx = adaptiveKnob("tx");
