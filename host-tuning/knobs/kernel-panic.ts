import { kubeletSysctl } from "./kubelet-sysctl.ts";

/** kernel.panic: seconds until the host reboots after a kernel panic; 0 is never, and then somebody has to come. */
export const kernelPanic = kubeletSysctl({
  id: "kernel.panic",
  title: "Reboot after a kernel panic",
  unit: "seconds",
  value: 10,
  least: -2_147_483_648,
  risk: "a host that panics at every boot reboots in a loop, and its screen is gone after 10 s",
  kernelDefault: "0",
  source: "https://docs.kernel.org/admin-guide/sysctl/kernel.html#panic",
});
