import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";
import { housekeepingCpus } from "./housekeeping-cpus.ts";
import { placeService } from "./service-placement.ts";

/** The slice that holds the service where it has CPUs for itself; beside system.slice, as partitions must not overlap. */
export const SERVICE_SLICE = "bedplate.slice";

/** Slices and scopes that everything else runs in. */
export const OTHER_SLICES = ["init.scope", "system.slice", "user.slice"] as const;

export const NO_PARTITION =
  'the profile asks for no cpuset partition (cpu.isolation is not "partition"), or systemd does not run the service';

/** How the CPUs are shared out between the service and everything else, or why they are not. */
export type Partition =
  | { readonly kind: "split"; readonly service: string; readonly others: string; readonly because: string }
  | { readonly kind: "none"; readonly because: string };

/**
 * The service's CPUs against all others, where the profile asks for a partition.
 *
 * Refused without reserved CPUs: what would be left over for the kernel, interrupts and ssh then is a matter of luck.
 *
 * @example 4 CPUs, 0-1 reserved: service 2-3, others 0-1
 */
export function partitionOf(facts: HostFacts, profile: HostProfile): Partition {
  if (!isPartitionAsked(facts, profile)) return { kind: "none", because: NO_PARTITION };
  const reserved = housekeepingCpus(facts, profile);
  if (reserved === "")
    return { kind: "none", because: "the profile names no CPUs for everything else (cpu.reserved)" };
  const placement = placeService(facts, profile);
  if (placement.kind === "everywhere") return { kind: "none", because: placement.because };
  const own = new Set(placement.cpus);
  const others = (parseKernelList(facts.cpu.onlineCpus) ?? []).filter((cpu) => !own.has(cpu));
  const service = formatKernelList(own);
  return {
    kind: "split",
    service,
    others: formatKernelList(others),
    because: `CPUs ${service} are the service's alone: ${placement.because}`,
  };
}

export function isPartitionAsked(facts: HostFacts, profile: HostProfile): boolean {
  return (
    profile.cpu.isolation === "partition" &&
    profile.service.runtime === "systemd" &&
    facts.initSystem === "systemd"
  );
}
