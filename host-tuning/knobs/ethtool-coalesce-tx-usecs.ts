import { delayKnob } from "./ethtool-coalesce.ts";

/** ethtool.coalesce.tx-usecs: microseconds from a sent packet to its interrupt. */
export const ethtoolCoalesceTxUsecs = delayKnob("tx");
