import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { openFiles } from "./open-files.ts";
import { inForce, isConfigured, nextStart } from "./pending-restart.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

/** What systemd gives a service that asks for nothing, since version 240. */
const SYSTEMD_DEFAULT = "1024:524288";

const LIMITS = /^(?:\d+|infinity)(?::(?:\d+|infinity))?$/;

interface Limits {
  readonly soft: number;
  readonly hard: number;
}

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
    const configured = assigned.findLast((text) => LIMITS.test(text)) ?? SYSTEMD_DEFAULT;
    return inForce(await readProcessLimits(host, unit), textOf(parseLimits(configured)));
  },
  desired({ profile, current }) {
    const wanted = openFiles(profile);
    const now = parseLimits(nextStart(current));
    const has = `service has ${textOf(now)}`;
    if (!profile.allowLowering && now.soft >= wanted.soft && now.hard >= wanted.hard) {
      if (now.soft > wanted.soft || now.hard > wanted.hard)
        return leave(`${has}, at least the ${textOf(wanted)} needed: ${wanted.because}`);
    }
    // Infinity is no number to keep: it comes out as the finite limit that is enough.
    const keep = (has: number, enough: number): number =>
      profile.allowLowering || !Number.isFinite(has) ? enough : Math.max(has, enough);
    const soft = keep(now.soft, wanted.soft);
    return setTo(textOf({ soft, hard: Math.max(soft, keep(now.hard, wanted.hard)) }), wanted.because);
  },
  writes: (value, target) => [dropIn(target, "limits", [`LimitNOFILE=${value}`])],
  isSatisfied: isConfigured,
});

function textOf({ soft, hard }: Limits): string {
  const word = (limit: number): string => (Number.isFinite(limit) ? String(limit) : "infinity");
  return `${word(soft)}:${word(hard)}`;
}

/** systemd's "n", "soft:hard" and "infinity". */
function parseLimits(text: string): Limits {
  const [soft = "", hard = soft] = text.split(":");
  const number = (word: string): number => (word.trim() === "infinity" ? Infinity : Number(word));
  return { soft: number(soft), hard: number(hard) };
}

/** @throws {TuningError} HOST_PARSE when the file has no such line */
async function readProcessLimits(host: Host, unit: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  const path = `/proc/${pid}/limits`;
  const text = pid === undefined ? undefined : await host.readText(path);
  if (text === undefined) return undefined;
  const [, soft, hard] = /^Max open files +(\d+|unlimited) +(\d+|unlimited) /m.exec(text) ?? [];
  if (soft === undefined || hard === undefined)
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: no line "Max open files"`);
  return `${soft}:${hard}`.replaceAll("unlimited", "infinity");
}
