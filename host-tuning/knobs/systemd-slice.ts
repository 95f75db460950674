import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { ownSlice } from "./own-unit.ts";
import { inForce, isConfigured } from "./pending-restart.ts";
import { SERVICE_SLICE, partitionOf } from "./service-partition.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readSlice,
  serviceTarget,
} from "./systemd-unit.ts";

const SLICE_UNIT = ["[Unit]", "Description=The service that has CPUs for itself (bedplate)", "[Slice]"];

/**
 * systemd.Slice: which part of the cgroup tree the service runs in.
 *
 * A cpuset partition takes CPUs from its siblings, so the service needs a slice of its own beside system.slice. The
 * slice is started at boot, so that its CPUs are set aside before the service comes. Rollback does not stop the slice,
 * as that would stop the service; the service goes back when it restarts. Until the service's restart it runs on the CPUs
 * of everything else.
 */
export const systemdSlice = defineKnob<string>({
  id: "systemd.Slice",
  title: "Part of the cgroup tree that the service runs in",
  family: "systemd",
  unit: "text",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "medium", what: "limits that somebody put on system.slice no longer hold for the service" },
  kernelDefault: "system.slice",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#Slice=",
    "https://docs.kernel.org/admin-guide/cgroup-v2.html#cpuset-interface-files",
  ],
  value: z.literal(SERVICE_SLICE),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,

  async read(host, { name: unit }) {
    if (!(await hasSystemd(host))) return undefined;
    return inForce(await readProcessSlice(host, unit), await readSlice(host, unit));
  },

  desired({ facts, profile, current }) {
    const partition = partitionOf(facts, profile);
    return partition.kind === "none"
      ? leave(`service is in ${current}: ${partition.because}`)
      : setTo(SERVICE_SLICE, `a slice of its own: ${partition.because}`);
  },

  writes: (value, target) => [
    ...ownSlice({ name: SERVICE_SLICE, lines: SLICE_UNIT }),
    dropIn(target, "slice", [`Slice=${value}`]),
  ],
  isSatisfied: isConfigured,
});

/** "0::/system.slice/mcp-service.service" is system.slice. */
async function readProcessSlice(host: Host, unit: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  const text = pid === undefined ? undefined : await host.readText(`/proc/${pid}/cgroup`);
  const path = /^0::(\/.*)$/m.exec(text ?? "")?.[1];
  return path?.split("/").findLast((part) => part.endsWith(".slice"));
}
