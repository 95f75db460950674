import { kubeletSysctl } from "./kubelet-sysctl.ts";

/** kernel.panic_on_oops: does a fault inside the kernel stop the host, rather than let it go on damaged. */
export const kernelPanicOnOops = kubeletSysctl({
  id: "kernel.panic_on_oops",
  title: "A fault inside the kernel stops the host",
  unit: "flag",
  value: 1,
  risk: "one faulty driver reboots the whole host",
  kernelDefault: "0",
  source: "https://docs.kernel.org/admin-guide/sysctl/kernel.html#panic-on-oops",
  anchors: { TuneD: "oracle: 1" },
});
