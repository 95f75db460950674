import { ringKnob } from "./nic-ring.ts";

/** ethtool.ring.tx: descriptors in each transmit queue. The kernel's byte limits (BQL) keep most of it empty, so only throughput raises it. */
export const ethtoolRingTx = ringKnob("tx");
