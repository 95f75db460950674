import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { openFiles } from "./open-files.ts";
import { inForce, isConfigured, nextStart } from "./pending-restart.ts";
import { LIMITS_TEXT, limitsText, parseLimits, readProcessLimits } from "./process-limits.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

/** What systemd gives a service that asks for nothing, since version 240. */
const SYSTEMD_DEFAULT = "1024:524288";

/**
 * systemd.LimitNOFILE: soft and hard number of open files of the service, "soft:hard".
 *
 * Read from the running main process, because a limit that stands in a file only is not in force before the service
 * restarts; both are shown while they differ. Soft is what the peak needs, because not every runtime raises it by itself:
 * measured with 3000 streams, Node with soft 1024 and hard 20000 serves all, Python gets 1015 and 90 363 EMFILE. Never
 * "infinity" (it is 1 073 741 816 and slows programs that walk all descriptors). limits.conf does not reach services.
 *
 * @unit files
 * @example 4096 connections and 256 outbound: "8192:524288"
 */
export const systemdLimitNofile = defineKnob<string>({
  id: "systemd.LimitNOFILE",
  title: "Open files of the service, soft:hard",
  family: "systemd",
  unit: "files",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "low", what: "a program that uses select() breaks with descriptors above 1023" },
  anchors: {
    "EKS AMI": "containerd: soft 65536, hard 1048576",
    saptune: "1048576, through limits.d, which does not reach services",
  },
  kernelDefault: "1024:524288 from systemd since version 240",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Process%20Properties",
    "https://github.com/moby/moby/issues/45534",
  ],
  value: z.string().refine((text) => {
    const limits = /^\d{1,10}:\d{1,10}$/.test(text) ? parseLimits(text) : undefined;
    return limits !== undefined && limits.soft <= limits.hard;
  }, 'soft and hard limit as in "8192:524288", soft not above hard, never infinity'),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,
  async read(host, { name: unit }) {
    if (!(await hasSystemd(host))) return undefined;
    const assigned = await readUnitAssignments(host, unit, "LimitNOFILE");
    // systemd passes over what it cannot read, with a line in its log.
    const configured = assigned.findLast((text) => LIMITS_TEXT.test(text)) ?? SYSTEMD_DEFAULT;
    return inForce(
      await readProcessLimits(host, unit, "Max open files"),
      limitsText(parseLimits(configured)),
    );
  },
  desired({ profile, current }) {
    const wanted = openFiles(profile);
    const now = parseLimits(nextStart(current));
    const has = `service has ${limitsText(now)}`;
    if (!profile.allowLowering && now.soft >= wanted.soft && now.hard >= wanted.hard) {
      if (now.soft > wanted.soft || now.hard > wanted.hard)
        return leave(`${has}, at least the ${limitsText(wanted)} needed: ${wanted.because}`);
    }
    // Infinity is no number to keep: it comes out as the finite limit that is enough.
    const keep = (has: number, enough: number): number =>
      profile.allowLowering || !Number.isFinite(has) ? enough : Math.max(has, enough);
    const soft = keep(now.soft, wanted.soft);
    return setTo(limitsText({ soft, hard: Math.max(soft, keep(now.hard, wanted.hard)) }), wanted.because);
  },
  writes: (value, target) => [dropIn(target, "limits", [`LimitNOFILE=${value}`])],
  isSatisfied: isConfigured,
});
