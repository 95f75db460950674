import * as z from "zod";
import type { NicMatch } from "../profile/host-profile.ts";
import { leave } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { type Target, defineKnob } from "./knob.ts";
import { desiredFunctions, entriesFor, isMatch } from "./virtual-functions.ts";

/**
 * sriov_numvfs: how many virtual functions a NIC shows.
 *
 * The kernel takes another count only after 0, which destroys the functions that are there and takes the network from
 * whatever uses them (a VM through vfio-pci, a pod). So a count is set where there are none yet; functions that exist
 * are only replaced with the profile's `allowLowering`. Early, before the network comes up on them.
 */
export const sriovNumvfs = defineKnob<number>({
  id: "sriov_numvfs",
  title: "Virtual functions of a NIC",
  family: "sriov",
  unit: "functions",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "high",
    what: "some drivers reset the NIC; virtual functions that exist are destroyed first",
  },
  isReversible: true,
  canCutOff: true,
  kernelDefault: "0",
  sources: [
    "https://docs.kernel.org/PCI/pci-iov-howto.html",
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci",
  ],
  value: z.int().min(0).max(65_535),

  /** NICs that the profile names, then selectors that no NIC matches: those read as not there, so they stay visible. */
  targets(facts, profile) {
    const matched = facts.nics.filter((nic) => entriesFor(nic, profile).length > 0).map((nic) => nic.name);
    const unmatched = profile.sriov
      .filter((entry) => !facts.nics.some((nic) => isMatch(nic, entry.match)))
      .map((entry) => describeMatch(entry.match));
    return [...new Set([...matched, ...unmatched])].map((name) => ({ name }));
  },
  absentBecause: "the profile asks for no virtual functions",

  read: (host, target) =>
    isInterfaceName(target.name) ? readCount(host, pathOf(target)) : Promise.resolve(undefined),

  desired({ facts, profile, current, target }) {
    const nic = facts.nics.find((candidate) => candidate.name === target.name);
    if (nic === undefined) return leave("the facts do not have this NIC");
    return desiredFunctions(nic, facts, profile, current);
  },

  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n`, via: "0\n" }],

  explainShortfall: (wanted, found) =>
    `the driver made ${found} of ${wanted} functions; firmware or free PCI bus numbers limit them`,
});

function describeMatch(match: NicMatch): string {
  const fields = Object.entries(match).map(([field, value]) => `${field}=${value}`);
  return fields.length === 0 ? "any NIC" : fields.join(" ");
}

function isInterfaceName(name: string): boolean {
  return /^[A-Za-z0-9._-]{1,15}$/.test(name);
}

function pathOf(target: Target): string {
  return `/sys/class/net/${target.name}/device/sriov_numvfs`;
}
