import { defineCstateArgument } from "./boot-cstate.ts";

/** processor.max_cstate: deepest C-state of the ACPI idle driver; 0 means 1 to it. */
export const processorMaxCstate = defineCstateArgument({
  id: "processor.max_cstate",
  driver: "acpi_idle",
  parameterPath: "/sys/module/processor/parameters/max_cstate",
  title: "Deepest C-state of the ACPI idle driver",
  risk: { level: "medium", what: "more power and heat, and less turbo for busy cores" },
  kernelDefault: "8: all that the firmware names",
  anchors: { "EKS AMI": "1 (EFA images)", rpk: "1, with --reboot-allowed", NTO: "1 (high power hint)" },
});
