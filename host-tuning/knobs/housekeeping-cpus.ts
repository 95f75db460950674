import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";

/** The CPUs that the profile keeps for the kernel and interrupts and that are online; "" when it names none. */
export function housekeepingCpus(facts: HostFacts, profile: HostProfile): string {
  const online = new Set(parseKernelList(facts.cpu.onlineCpus));
  return formatKernelList(
    (parseKernelList(profile.cpu.reserved ?? "") ?? []).filter((cpu) => online.has(cpu)),
  );
}
