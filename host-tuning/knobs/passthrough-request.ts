import type { HostProfile } from "../profile/host-profile.ts";

/** Does the profile hand devices to user space (vfio-pci), for which an IOMMU has to be at work. */
export function asksForPassthrough(profile: HostProfile): boolean {
  return profile.sriov.some(({ driver, virtualFunctions }) => driver === "vfio-pci" && virtualFunctions > 0);
}

export const NO_PASSTHROUGH =
  "the profile hands no device to user space (no sriov entry with driver vfio-pci)";
