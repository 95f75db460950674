import * as z from "zod";
import { NO_LIMIT, cgroupSetting, isSameMemory, normaliseBytes } from "./cgroup-setting.ts";
import { leave, setTo } from "./desired.ts";
import { memoryLimit } from "./service-memory.ts";

/**
 * systemd.MemoryMax: where the service is killed, and not whatever else the OOM killer would find.
 *
 * Only with a stated working set. A limit that the host already has is somebody's and stays.
 *
 * @unit bytes
 * @example service.memoryBytes 4 GiB: 6 GiB
 */
export const systemdMemoryMax = cgroupSetting({
  key: "MemoryMax",
  title: "Memory at which the service is killed",
  unit: "bytes",
  controller: "memory",
  file: "memory.max",
  risk: { level: "medium", what: "a working set that was stated too small gets the service killed" },
  kernelDefault: "infinity",
  kernelRange: "systemd 231 and newer with cgroup v2",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#MemoryMax=bytes",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#memory-interface-files",
  ],
  value: z.string().regex(/^[1-9]\d{0,15}$/, "bytes"),
  stock: NO_LIMIT,
  normalise: normaliseBytes,
  isEqual: isSameMemory,
  desired({ facts, profile, current }) {
    const wanted = memoryLimit("max", facts, profile);
    if (!("value" in wanted)) return leave(wanted.because);
    if (current !== NO_LIMIT && !isSameMemory(current, String(wanted.value)))
      return leave(`host has ${current} bytes, which somebody chose; it would be ${wanted.value}`);
    return setTo(String(wanted.value), wanted.because);
  },
});
