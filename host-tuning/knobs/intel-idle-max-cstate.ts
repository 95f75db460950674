import { defineCstateArgument } from "./boot-cstate.ts";

/** intel_idle.max_cstate: deepest C-state of Intel's idle driver; 0 turns that driver off and lets acpi_idle do it. */
export const intelIdleMaxCstate = defineCstateArgument({
  id: "intel_idle.max_cstate",
  driver: "intel_idle",
  parameterPath: "/sys/module/intel_idle/parameters/max_cstate",
  title: "Deepest C-state of Intel's idle driver",
  risk: {
    level: "medium",
    what: "more power and heat, and less turbo for busy cores; 0 does not stop C-states, it changes the driver",
  },
  kernelDefault: "9: all that the CPU has",
  anchors: { "EKS AMI": "1 (EFA images)", rpk: "0, with --reboot-allowed", NTO: "0 (high power hint)" },
});
