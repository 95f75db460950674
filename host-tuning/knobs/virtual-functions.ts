import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile, NicMatch } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import type { Desired } from "./knob.ts";

/** Entries of the profile that name this NIC. */
export function entriesFor(nic: NicFacts, profile: HostProfile): HostProfile["sriov"] {
  return profile.sriov.filter((entry) => isMatch(nic, entry.match));
}

/** Every field given must match. A virtual function is never a match: it cannot have functions of its own. */
export function isMatch(nic: NicFacts, match: NicMatch): boolean {
  return (
    nic.isPhysical &&
    !nic.isVirtualFunction &&
    (match.name === undefined || match.name === nic.name) &&
    (match.driver === undefined || match.driver === nic.driver) &&
    (match.pciAddress === undefined || match.pciAddress === nic.pciAddress)
  );
}

/** Why no device of this host may be handed to user space; `undefined` where it may. */
export function passthroughRefusal({ passthrough }: HostFacts): string | undefined {
  if (passthrough.lockdown !== null && passthrough.lockdown !== "none") {
    return `kernel lockdown is "${passthrough.lockdown}", which keeps user space from devices`;
  }
  if (passthrough.iommuGroups === 0) {
    return "no IOMMU is in use (no group in /sys/kernel/iommu_groups): a device in user space could write anywhere in memory";
  }
  return undefined;
}

/** How many virtual functions a NIC that has `current` of them should show. */
export function desiredFunctions(
  nic: NicFacts,
  facts: HostFacts,
  profile: HostProfile,
  current: number,
): Desired<number> {
  const entries = entriesFor(nic, profile);
  const counts = new Set(entries.map((entry) => entry.virtualFunctions));
  const [wanted, other] = counts;
  if (wanted === undefined) return leave("the profile does not name this NIC");
  if (other !== undefined) {
    return leave(`entries of the profile disagree on this NIC: ${[...counts].join(" and ")} functions`);
  }
  const total = nic.sriov?.totalVirtualFunctions ?? 0;
  if (wanted > total) {
    return leave(`refused: the profile asks for ${wanted} functions and the NIC has ${total} at most`);
  }
  const refusal = passthroughRefusal(facts);
  if (wanted > 0 && refusal !== undefined && entries.every(({ driver }) => driver === "vfio-pci")) {
    return leave(`refused: the profile asks for functions for vfio-pci, and ${refusal}`);
  }
  if (current > 0 && current !== wanted && !profile.allowLowering) {
    return leave(
      `host has ${current}, and another count destroys them first; free them, then set allowLowering in the profile`,
    );
  }
  return setTo(wanted, `the profile asks for ${wanted} of ${total} functions`);
}

/**
 * Why a NIC's queues and interrupts are not decided yet: virtual functions that are made in this run take queues from
 * it, and drivers (igb: 4 queues become 2, 9 interrupts become 3) set both up anew. Apply decides them once the
 * functions are there.
 */
export function waitsForFunctions(nic: NicFacts, facts: HostFacts, profile: HostProfile): string | undefined {
  const current = nic.sriov?.virtualFunctions;
  if (current === undefined) return undefined;
  const override = profile.overrides["sriov_numvfs"];
  if (override !== undefined && "leave" in override) return undefined;
  const wanted = override === undefined ? wantedFunctions(nic, facts, profile, current) : override.value;
  if (wanted === current) return undefined;
  return `making ${String(wanted)} virtual functions gives this NIC other queues and interrupts: decided once they are there`;
}

function wantedFunctions(nic: NicFacts, facts: HostFacts, profile: HostProfile, current: number): number {
  const desired = desiredFunctions(nic, facts, profile, current);
  return desired.kind === "set" ? desired.value : current;
}
