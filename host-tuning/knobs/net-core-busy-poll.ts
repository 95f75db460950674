import { busyPollKnob } from "./busy-poll.ts";

/** net.core.busy_poll: how long poll, select and epoll spin on a NIC's queue. */
export const netCoreBusyPoll = busyPollKnob("busy_poll");
