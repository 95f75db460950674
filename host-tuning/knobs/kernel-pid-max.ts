import { powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** PID_MAX_LIMIT of 64-bit kernels. */
const KERNEL_MOST = 4_194_304;
/** What the kernel takes for each CPU. */
const PER_CPU = 1024;
const LEAST = 32_768;

/**
 * kernel.pid_max: numbers for processes and threads, of the whole host and all its containers together.
 *
 * A pod's process has a number on the host too, so a Kubernetes node takes all there are; they cost nothing until used.
 * Elsewhere the kernel's own sum, 1024 for each CPU, has to be there. systemd sets the most on 64-bit hosts anyway.
 *
 * @unit entries
 * @example Kubernetes: 4 194 304; 64 CPUs: 65 536
 */
export const kernelPidMax = integerSysctl({
  id: "kernel.pid_max",
  title: "Numbers for processes and threads",
  unit: "entries",
  scope: "host",
  takesEffect: "now",
  range: [301, KERNEL_MOST],
  risk: {
    level: "low",
    what: "long numbers in ps; a fork bomb takes longer to stop by itself (TasksMax stops it)",
  },
  kernelDefault: "32768, or 1024 for each CPU; systemd raises it to 4194304",
  anchors: { "EKS AMI": "4194304", TuneD: "openshift: 4194304, raise only", saptune: "4194304" },
  // Load of 1, 5 and 15 minutes, then "running/all".
  async evidence(host) {
    const all = /^\S+ \S+ \S+ \d+\/(\d+)/.exec((await host.readText("/proc/loadavg")) ?? "")?.[1];
    return all === undefined ? undefined : `${all} processes and threads now (/proc/loadavg)`;
  },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/kernel.html#pid-max"],
  desired(input) {
    if (input.profile.service.runtime === "kubernetes")
      return raiseTo({ value: KERNEL_MOST, because: "all pods of the node share the host's numbers" }, input);
    const cpus = input.facts.cpu.cpus.length;
    const value = Math.min(KERNEL_MOST, Math.max(LEAST, powerOfTwoAtLeast(cpus * PER_CPU)));
    return raiseTo({ value, because: `${PER_CPU} for each of ${cpus} CPUs, at least ${LEAST}` }, input);
  },
});
