import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { defineKnob } from "./knob.ts";
import { inForce, isConfigured, nextStart } from "./pending-restart.ts";
import { LIMITS_TEXT, limitsText, parseLimits, readProcessLimits } from "./process-limits.ts";
import {
  NO_SYSTEMD_SERVICE,
  dropIn,
  hasSystemd,
  readUnitAssignments,
  serviceTarget,
} from "./systemd-unit.ts";

/** What systemd gives a service that asks for nothing: the kernel's own default since Linux 5.16. */
const STOCK = "8388608:8388608";

/**
 * systemd.LimitMEMLOCK: memory that the service may lock, "soft:hard" bytes.
 *
 * RDMA and EFA lock every buffer that a card reads or writes, so without this registering memory fails (ENOMEM, "cannot
 * allocate memory"). Set where the host has an RDMA device; the vendors' guides say infinity, and all of the host's
 * memory is the same in practice and a number that can be compared.
 *
 * @unit bytes
 */
export const systemdLimitMemlock = defineKnob<string>({
  id: "systemd.LimitMEMLOCK",
  title: "Memory that the service may lock, soft:hard",
  family: "systemd",
  unit: "bytes",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: { level: "low", what: "locked memory is never swapped or reclaimed" },
  anchors: { saptune: "unlimited for a database's user (note 1805750), through limits.d" },
  kernelDefault: "8388608:8388608 since Linux 5.16, 65536:65536 before",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.exec.html#Process%20Properties",
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-start.html",
  ],
  value: z.string().regex(/^\d{1,16}:\d{1,16}$/, 'soft and hard limit in bytes, as in "8388608:8388608"'),
  targets: serviceTarget,
  absentBecause: NO_SYSTEMD_SERVICE,

  async read(host, { name: unit }) {
    if (!(await hasSystemd(host))) return undefined;
    const assigned = await readUnitAssignments(host, unit, "LimitMEMLOCK");
    const configured = limitsText(parseLimits(assigned.findLast((text) => LIMITS_TEXT.test(text)) ?? STOCK));
    return inForce(await readProcessLimits(host, unit, "Max locked memory"), configured);
  },

  desired({ facts, current }) {
    const { devices } = facts.rdma;
    if (devices.length === 0) return leave("this host has no RDMA device that would lock memory");
    const wanted = facts.memory.totalBytes;
    const now = parseLimits(nextStart(current));
    if (now.soft >= wanted && now.hard >= wanted)
      return leave(`service has ${limitsText(now)}, at least the host's ${wanted} bytes`);
    const names = devices.map(({ name }) => name).join(", ");
    return setTo(
      `${wanted}:${wanted}`,
      `${names} lock every buffer they use: up to all of the host's memory`,
    );
  },

  writes: (value, target) => [dropIn(target, "limit-memlock", [`LimitMEMLOCK=${value}`])],
  isSatisfied: isConfigured,
});
