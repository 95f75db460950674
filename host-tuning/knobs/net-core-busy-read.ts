import { busyPollKnob } from "./busy-poll.ts";

/** net.core.busy_read: what a new socket starts with as SO_BUSY_POLL, for its blocking reads. */
export const netCoreBusyRead = busyPollKnob("busy_read");
