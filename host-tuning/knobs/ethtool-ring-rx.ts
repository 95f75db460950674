import { ringKnob } from "./nic-ring.ts";

/** ethtool.ring.rx: descriptors in each receive queue. Room for what the link brings while the queue's CPU is elsewhere. */
export const ethtoolRingRx = ringKnob("rx");
