import { workqueueMask } from "./workqueue-mask.ts";

/** workqueue/writeback/cpumask: the CPUs that write dirty pages to disk. The queue has a mask of its own beside the general one. */
export const workqueueWritebackCpumask = workqueueMask({
  id: "workqueue/writeback/cpumask",
  title: "CPUs that write dirty pages to disk",
  file: "writeback/cpumask",
  what: "writing dirty pages",
  kernelDefault: "all CPUs",
  kernelRange: "since Linux 3.10",
});
