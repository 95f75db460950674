import { kubeletSysctl } from "./kubelet-sysctl.ts";

/** vm.panic_on_oom: does the host stop when memory is used up, rather than kill a program. */
export const vmPanicOnOom = kubeletSysctl({
  id: "vm.panic_on_oom",
  title: "Memory that is used up stops the host",
  unit: "flag",
  value: 0,
  risk: "a host that somebody wanted to stop goes on without the killed program",
  kernelDefault: "0",
  source: "https://docs.kernel.org/admin-guide/sysctl/vm.html#panic-on-oom",
});
