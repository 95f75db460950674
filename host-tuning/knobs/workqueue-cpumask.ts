import { workqueueMask } from "./workqueue-mask.ts";

/** workqueue/cpumask: the CPUs for the kernel's work that is bound to none. */
export const workqueueCpumask = workqueueMask({
  id: "workqueue/cpumask",
  title: "CPUs for the kernel's unbound work",
  file: "cpumask",
  what: "the kernel's unbound work",
  kernelDefault: "all CPUs, without those of isolcpus= and nohz_full=",
  kernelRange: "since Linux 4.2",
});
