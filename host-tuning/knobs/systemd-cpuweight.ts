import * as z from "zod";
import { cgroupSetting } from "./cgroup-setting.ts";
import { leave, setTo } from "./desired.ts";

/** Ten times what everything else in system.slice has: the service gets ten elevenths of a CPU that both want. Our choice. */
const LATENCY_WEIGHT = 1000;

/**
 * systemd.CPUWeight: the service's share of CPUs that others want at the same moment, against 100 for each of them.
 *
 * Raised for latency, where a log rotation or a package update must not stand before a request. A weight takes nothing
 * from anybody while CPUs are free. Not where the service has its CPUs for itself.
 */
export const systemdCpuweight = cgroupSetting({
  key: "CPUWeight",
  title: "The service's share of contended CPUs",
  unit: "entries",
  controller: "cpu",
  file: "cpu.weight",
  risk: { level: "low", what: "while CPUs are short, other services on them run slower" },
  kernelDefault: "100",
  kernelRange: "systemd 232 and newer with cgroup v2",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#CPUWeight=weight",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#weights",
  ],
  value: z.string().regex(/^(?:[1-9]\d{0,3}|10000)$/, "a weight from 1 to 10000"),
  stock: "100",
  desired({ profile, current }) {
    if (profile.preset !== "latency")
      return leave(`host has ${current}, and preset ${profile.preset} shares CPUs evenly`);
    if (profile.cpu.isolation !== "none")
      return leave(`host has ${current}, and the service has its CPUs for itself (cpu.isolation)`);
    if (Number(current) >= LATENCY_WEIGHT) return leave(`host has ${current}, at least ${LATENCY_WEIGHT}`);
    return setTo(
      String(LATENCY_WEIGHT),
      "for the latency preset a request comes before whatever else wants the CPU, ten shares to one",
    );
  },
});
