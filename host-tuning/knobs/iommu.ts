import { defineBootArgument } from "./boot-argument.ts";
import { flagsArgument } from "./boot-argument-syntax.ts";
import { leave, setTo } from "./desired.ts";
import { NO_PASSTHROUGH, asksForPassthrough } from "./passthrough-request.ts";
import { nextStart } from "./pending-restart.ts";

/** What says the opposite of `pt`. */
const AGAINST: ReadonlySet<string> = new Set(["nopt", "off", "strict"]);

/**
 * iommu: `pt` lets the host's own devices reach memory directly, so that the IOMMU that vfio-pci needs costs only the
 * devices handed over. Other flags that stand there stay. Without a request for vfio-pci nothing is set: devices that the
 * kernel keeps apart by default stay apart.
 */
export const iommu = defineBootArgument({
  id: "iommu",
  syntax: flagsArgument("iommu"),
  title: "How the host's own devices use the IOMMU",
  unit: "enum",
  risk: {
    level: "medium",
    what: "a device of the host that misbehaves, or is malicious, can reach all memory",
  },
  kernelDefault: "translated, by CONFIG_IOMMU_DEFAULT_DMA_LAZY on most distributions",
  kernelRange: "x86; on arm64 it is iommu.passthrough",
  sources: ["https://docs.kernel.org/admin-guide/kernel-parameters.html"],
  anchors: { NTO: "iommu=pt" },
  desired({ facts, profile, current }) {
    if (!asksForPassthrough(profile)) return leave(NO_PASSTHROUGH);
    if (facts.architecture !== "x86_64") return leave(`${facts.architecture} has iommu.passthrough instead`);
    const others = nextStart(current)
      .split(",")
      .filter((flag) => /^[a-z_]+$/.test(flag) && !AGAINST.has(flag));
    return setTo(
      [...new Set([...others, "pt"])].toSorted().join(","),
      "the profile asks for vfio-pci: the IOMMU is for the devices handed over, the host's own go past it",
    );
  },
});
