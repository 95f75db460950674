import type { FactReader } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

/** The mode in brackets of /sys/kernel/security/lockdown: "none [integrity] confidentiality". */
export function parseLockdown(text: string): HostFacts["passthrough"]["lockdown"] | undefined {
  const mode = /\[(none|integrity|confidentiality)\]/.exec(text)?.[1];
  return mode === undefined ? undefined : (mode as "none" | "integrity" | "confidentiality");
}

/**
 * Reads whether devices may be handed to user space: an IOMMU that is in use puts them into groups, and kernel lockdown
 * keeps user space from the hardware.
 *
 * @see https://docs.kernel.org/driver-api/vfio.html
 * @see https://man7.org/linux/man-pages/man7/kernel_lockdown.7.html
 */
export async function readPassthrough(reader: FactReader): Promise<HostFacts["passthrough"]> {
  const path = "/sys/kernel/security/lockdown";
  const [groups, text] = await Promise.all([reader.entries("/sys/kernel/iommu_groups"), reader.text(path)]);
  const lockdown = text === undefined ? undefined : parseLockdown(text);
  if (text !== undefined && lockdown === undefined) reader.note(path, "Names no mode in brackets");
  return { iommuGroups: groups.length, lockdown: lockdown ?? null };
}
