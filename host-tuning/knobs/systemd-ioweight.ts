import * as z from "zod";
import { cgroupSetting } from "./cgroup-setting.ts";
import { leave, setTo } from "./desired.ts";

/** The same ten to one as for CPUs. Our choice. */
const LATENCY_WEIGHT = 1000;

/**
 * systemd.IOWeight: the service's share of a disk that others want at the same moment, against 100 for each of them.
 *
 * Only where something looks at weights: the bfq scheduler. Under none and mq-deadline the number would stand there and
 * do nothing, and a setting without effect is none.
 */
export const systemdIoweight = cgroupSetting({
  key: "IOWeight",
  title: "The service's share of contended disks",
  unit: "entries",
  controller: "io",
  file: "io.weight",
  risk: { level: "low", what: "while a disk is busy, other services wait longer for it" },
  kernelDefault: "100",
  kernelRange: "systemd 230 and newer with cgroup v2; in force on disks with bfq or io.cost",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#IOWeight=weight",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#io-interface-files",
  ],
  value: z.string().regex(/^(?:[1-9]\d{0,3}|10000)$/, "a weight from 1 to 10000"),
  stock: "100",
  desired({ facts, profile, current }) {
    const sharing = facts.blockDevices.filter((disk) => disk.scheduler === "bfq").map(({ name }) => name);
    if (sharing.length === 0)
      return leave(`host has ${current}, and no disk has a scheduler that shares by weight (bfq)`);
    if (profile.preset !== "latency")
      return leave(`host has ${current}, and preset ${profile.preset} shares disks evenly`);
    if (Number(current) >= LATENCY_WEIGHT) return leave(`host has ${current}, at least ${LATENCY_WEIGHT}`);
    return setTo(
      String(LATENCY_WEIGHT),
      `for the latency preset the service's reads come first on ${sharing.join(", ")}, ten shares to one`,
    );
  },
});
