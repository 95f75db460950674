import { delayKnob } from "./ethtool-coalesce.ts";

/** ethtool.coalesce.rx-usecs: microseconds from a received packet to its interrupt. */
export const ethtoolCoalesceRxUsecs = delayKnob("rx");
