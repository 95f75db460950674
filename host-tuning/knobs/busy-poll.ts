import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import type { AnyKnob, Desired } from "./knob.ts";
import { nicEntries } from "./nic-targets.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/**
 * How long a waiting program spins on its NIC's queue instead of sleeping until the interrupt. Never by itself: it burns
 * the CPU that it waits on, and the kernel's own documentation knows few uses in production. The value is one for the
 * whole host, so the longest time asked for any NIC counts.
 */
export function busyPollKnob(name: "busy_poll" | "busy_read"): AnyKnob {
  const what = name === "busy_poll" ? "poll, select and epoll spin" : "a blocking read spins";
  return integerSysctl({
    id: `net.core.${name}`,
    title: `How long ${what} on a NIC's queue`,
    unit: "microseconds",
    scope: "host",
    takesEffect: name === "busy_poll" ? "now" : "new-sockets",
    phase: "late",
    range: [0, INT32_MAX],
    risk: { level: "medium", what: "the CPU that waits is busy: power, heat, and less for others" },
    kernelDefault: "0: off",
    anchors: { TuneD: "50 (network-latency, hpc-compute)" },
    sources: [
      `https://docs.kernel.org/admin-guide/sysctl/net.html#${name.replace("_", "-")}`,
      "https://docs.kernel.org/networking/napi.html#busy-polling",
      "https://github.com/amzn/amzn-drivers/blob/64788ef/kernel/linux/ena/ENA_Linux_Best_Practices.rst",
    ],
    desired: ({ facts, profile }) => desiredBusyPoll(facts, profile),
  });
}

function desiredBusyPoll(facts: HostFacts, profile: HostProfile): Desired<number> {
  const asked = facts.nics.flatMap((nic) =>
    nicEntries(nic, profile).flatMap(({ busyPollMicros }) =>
      busyPollMicros === undefined ? [] : [{ name: nic.name, micros: busyPollMicros }],
    ),
  );
  const longest = asked.toSorted((a, b) => b.micros - a.micros)[0];
  if (longest === undefined) {
    return leave("only on request (nics[].busyPollMicros): waiting programs would keep their CPUs busy");
  }
  return setTo(
    longest.micros,
    `the profile asks for ${longest.micros} microseconds on ${longest.name}; the setting counts for all NICs`,
  );
}
