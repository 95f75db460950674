import { defineBootArgument } from "./boot-argument.ts";
import { flagsArgument } from "./boot-argument-syntax.ts";
import { leave, setTo } from "./desired.ts";
import { NO_PASSTHROUGH, asksForPassthrough } from "./passthrough-request.ts";
import { nextStart } from "./pending-restart.ts";

/**
 * intel_iommu: the IOMMU of Intel machines, which kernels of several distributions leave off. Only where the profile asks
 * for vfio-pci, and only where none is at work: functions that stay network interfaces of the host do not need it, and it
 * costs every device that has to go through it. AMD's is on by default and has no such argument.
 */
export const intelIommu = defineBootArgument({
  id: "intel_iommu",
  syntax: flagsArgument("intel_iommu"),
  title: "IOMMU of Intel machines",
  unit: "enum",
  risk: {
    level: "high",
    what: "a device whose firmware names its memory wrongly stops working; transfers cost more without iommu=pt",
  },
  kernelDefault: "by CONFIG_INTEL_IOMMU_DEFAULT_ON: off on Debian and RHEL, on in Ubuntu since 21.10",
  sources: [
    "https://docs.kernel.org/arch/x86/iommu.html",
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
    "https://docs.kernel.org/driver-api/vfio.html",
  ],
  anchors: { NTO: "intel_iommu=on (profiles for partitioned Intel hosts)" },
  desired({ facts, profile, current }) {
    if (!asksForPassthrough(profile)) return leave(NO_PASSTHROUGH);
    if (facts.cpu.vendor !== "GenuineIntel")
      return leave(
        `${facts.cpu.vendor ?? "this machine"}: its IOMMU is on by default where the firmware has it`,
      );
    const flags = nextStart(current).split(",");
    if (facts.passthrough.iommuGroups > 0 && !flags.includes("on"))
      return leave(`an IOMMU is at work already: ${facts.passthrough.iommuGroups} groups`);
    const others = flags.filter((flag) => /^[a-z_]+$/.test(flag) && flag !== "off");
    return setTo(
      [...new Set([...others, "on"])].toSorted().join(","),
      "the profile hands functions to user space with vfio-pci, which needs an IOMMU",
    );
  },
  async readIgnored(host, value) {
    if (!value.split(",").includes("on")) return undefined;
    const groups = await host.list("/sys/kernel/iommu_groups");
    return groups.length > 0 ? undefined : "no IOMMU is at work; VT-d may be off in the firmware";
  },
});
