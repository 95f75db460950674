import * as z from "zod";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { parseKernelList } from "../sys/kernel-list.ts";
import { leave, setTo } from "./desired.ts";
import { NO_IDLE_STATES, idleLatency } from "./idle-latency.ts";
import { defineKnob } from "./knob.ts";
import { type PerCpuFile, cpusTarget, readPerCpu, wordsIn, writesPerCpu } from "./per-cpu-file.ts";
import { placeService } from "./service-placement.ts";

const FILE: PerCpuFile = { file: "power/pm_qos_resume_latency_us", pattern: /^(?:n\/a|\d{1,10})$/ };

/** The kernel's two special words: 0 is "no limit", and "n/a" is a limit of nothing, under which a CPU only polls. */
const NO_LIMIT = "0";
const NOTHING = "n/a";

/**
 * pm_qos_resume_latency_us: how long an idle CPU may take to wake up, microseconds; deeper C-states are not entered.
 *
 * Set on the service's CPUs only, so that the others may go on sleeping and leave it their power. The file keeps the
 * limit by itself, where a request through /dev/cpu_dma_latency ends with the program that holds it (the way of TuneD).
 * A stricter limit on the host is somebody's and stays.
 *
 * @unit microseconds
 * @example preset latency on a Xeon with C6 of 133 us: "10"
 */
export const pmQosResumeLatencyUs = defineKnob<string>({
  id: "pm_qos_resume_latency_us",
  title: "Time that an idle CPU may take to wake up (C-states)",
  family: "cpu",
  unit: "microseconds",
  scope: "cpu",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "medium",
    what: "more power and heat in idle times; at 0 CPUs poll and their neighbours lose turbo",
  },
  isReversible: true,
  anchors: {
    TuneD:
      "force_latency through /dev/cpu_dma_latency for all CPUs, held by its daemon: 1 to 3 us in latency-performance, 99 in accelerator-performance",
    NTO: "by pod (annotation), through the container runtime",
    saptune: "70 us through /dev/cpu_dma_latency",
    "EKS AMI": "intel_idle.max_cstate=1 at boot on EFA instances",
    rpk: "intel_idle.max_cstate=0 at boot, only with --reboot-allowed",
  },
  kernelDefault: "0: no limit",
  kernelRange: "since Linux 3.2; 0 and n/a as they are since 4.16",
  sources: [
    "https://docs.kernel.org/admin-guide/pm/cpuidle.html#power-management-quality-of-service-for-cpus",
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-devices-power",
  ],
  value: z
    .string()
    .regex(/^(?:n\/a|0|[1-9]\d{0,6})$/, 'microseconds; "0" for no limit, "n/a" for no idle state at all'),

  targets: (facts, profile) =>
    facts.cpu.idle.states.length === 0 ? [] : cpusTarget(serviceCpus(facts, profile)),
  absentBecause: NO_IDLE_STATES,

  read: (host, target) => readPerCpu(host, target, FILE),

  desired({ facts, profile, current }) {
    const limit = idleLatency(facts, profile);
    if (limit.kind === "any") return leave(limit.because);
    const isStricter = wordsIn(current).every(
      (word) => word === NOTHING || (word !== NO_LIMIT && Number(word) < limit.micros),
    );
    if (isStricter && limit.micros > 0 && !profile.allowLowering)
      return leave(`host has ${textOf(current)}, stricter than needed: ${limit.because}`);
    return setTo(limit.micros === 0 ? NOTHING : String(limit.micros), limit.because);
  },

  writes: (value, target) => writesPerCpu(value, target, FILE),
  format: textOf,
});

/** CPUs that the service may run on: where nothing places it, all that are online. */
function serviceCpus(facts: HostFacts, profile: HostProfile): readonly number[] {
  const placement = placeService(facts, profile);
  return placement.kind === "everywhere" ? (parseKernelList(facts.cpu.onlineCpus) ?? []) : placement.cpus;
}

function textOf(value: string): string {
  if (value === NO_LIMIT) return "no limit";
  if (value === NOTHING) return "0 us (no idle state)";
  return /^\d+$/.test(value) ? `${value} us` : value;
}
