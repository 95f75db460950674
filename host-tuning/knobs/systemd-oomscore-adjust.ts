import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, lowerTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { inForce, isConfigured, nextStart } from "./pending-restart.ts";
import { memoryLimit } from "./service-memory.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readServicePid,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

/** Half of the scale: the service is taken after whatever has no protection, and before the kernel's essentials. Our choice. */
const PROTECTED = -500;

/**
 * systemd.OOMScoreAdjust: who dies first when the host itself runs out of memory, -1000 (never) to 1000 (first).
 *
 * The service is protected only where a limit of its own (systemd.MemoryMax) ends it when it runs away. Without one it
 * must stay the first candidate: otherwise a leak in it would take sshd and the container runtime instead.
 */
export const systemdOomscoreAdjust = defineKnob<string>({
  id: "systemd.OOMScoreAdjust",
  title: "Who dies first when the host runs out of memory",
  family: "systemd",
  unit: "text",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "medium", what: "another service is killed in its place" },
  kernelDefault: "0",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#OOMScoreAdjust=",
    "https://docs.kernel.org/filesystems/proc.html#proc-pid-oom-adj-proc-pid-oom-score-adj-adjust-the-oom-killer-score",
  ],
  value: z.string().regex(/^-?(?:\d{1,3}|1000)$/, "a number from -1000 to 1000"),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,

  async read(host, { name: unit }) {
    if (!(await hasSystemd(host))) return undefined;
    const assigned = (await readUnitAssignments(host, unit, "OOMScoreAdjust")).at(-1) ?? "";
    return inForce(await readProcessScore(host, unit), assigned === "" ? "0" : assigned);
  },

  desired({ facts, profile, current }) {
    const limit = memoryLimit("max", facts, profile);
    if (!("value" in limit))
      return leave(`a service without a memory limit stays the first to be killed: ${limit.because}`);
    const wanted = {
      value: PROTECTED,
      because: "its own limit ends the service when it runs away, so others go first",
    };
    const decided = lowerTo(wanted, { current: Number(nextStart(current)) });
    return decided.kind === "set" ? { ...decided, value: String(decided.value) } : decided;
  },

  writes: (value, target) => [dropIn(target, "oom-score-adjust", [`OOMScoreAdjust=${value}`])],
  isSatisfied: isConfigured,
});

async function readProcessScore(host: Host, unit: string): Promise<string | undefined> {
  const pid = await readServicePid(host, unit);
  return pid === undefined ? undefined : await readWord(host, `/proc/${pid}/oom_score_adj`);
}
