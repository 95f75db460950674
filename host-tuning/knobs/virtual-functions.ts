import type { NicFacts } from "../facts/host-facts.ts";
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

/** How many virtual functions a NIC that has `current` of them should show. */
export function desiredFunctions(nic: NicFacts, profile: HostProfile, current: number): Desired<number> {
  const counts = new Set(entriesFor(nic, profile).map((entry) => entry.virtualFunctions));
  const [wanted, other] = counts;
  if (wanted === undefined) return leave("the profile does not name this NIC");
  if (other !== undefined) {
    return leave(`entries of the profile disagree on this NIC: ${[...counts].join(" and ")} functions`);
  }
  const total = nic.sriov?.totalVirtualFunctions ?? 0;
  if (wanted > total) {
    return leave(`refused: the profile asks for ${wanted} functions and the NIC has ${total} at most`);
  }
  if (current > 0 && current !== wanted && !profile.allowLowering) {
    return leave(
      `host has ${current}, and another count destroys them first; free them, then set allowLowering in the profile`,
    );
  }
  return setTo(wanted, `the profile asks for ${wanted} of ${total} functions`);
}

/**
 * Why a NIC's queues and interrupts wait for the next run: virtual functions made in this run take queues from it, and
 * drivers (igb: 4 queues become 2, 9 interrupts become 3) set both up anew. At boot the functions are made in the early
 * phase and the late one finds what came of it, so only channels, early themselves, ever wait there.
 */
export function waitsForFunctions(nic: NicFacts, profile: HostProfile): string | undefined {
  const current = nic.sriov?.virtualFunctions;
  if (current === undefined) return undefined;
  const override = profile.overrides["sriov_numvfs"];
  if (override !== undefined && "leave" in override) return undefined;
  const wanted = override === undefined ? wantedFunctions(nic, profile, current) : override.value;
  if (wanted === current) return undefined;
  return `making ${String(wanted)} virtual functions gives this NIC other queues and interrupts: the next run sees them`;
}

function wantedFunctions(nic: NicFacts, profile: HostProfile, current: number): number {
  const desired = desiredFunctions(nic, profile, current);
  return desired.kind === "set" ? desired.value : current;
}
