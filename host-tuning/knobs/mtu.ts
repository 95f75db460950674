import * as z from "zod";
import type { HostFacts, NicFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import { readCount } from "./kernel-file.ts";
import { type Desired, type Target, defineKnob } from "./knob.ts";
import { askedOf, nicEntries } from "./nic-targets.ts";

/** Smallest packet that every IPv6 link must carry. */
const LEAST_BYTES = 1280;

/**
 * mtu: the largest packet of an interface. Only what the profile asks for: every host and switch of the segment must
 * take it, which no host can see from itself.
 *
 * A bond's ports are set through the bond, which hands its MTU to them; a port that is named alone is left. Lowering
 * pulls VLANs on top of the interface down with it, and the kernel does not lift them again, so that is refused while
 * one of them is larger.
 */
export const mtu = defineKnob<number>({
  id: "mtu",
  title: "Largest packet of an interface",
  family: "nic",
  unit: "bytes",
  scope: "nic",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: {
    level: "high",
    what: "where the segment does not carry it, large packets are lost without a word; most drivers restart the NIC",
  },
  isReversible: true,
  canCutOff: true,
  after: ["sriov_numvfs"],
  kernelDefault: "1500 for Ethernet; ENA 9001 by DHCP",
  anchors: { TuneD: "as the profile's net plugin says (mtu)" },
  sources: [
    "https://man7.org/linux/man-pages/man8/ip-link.8.html",
    "https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/network_mtu.html",
    "https://github.com/torvalds/linux/blob/v6.12/net/8021q/vlan.c",
  ],
  value: z.int().min(68).max(65_535),

  targets: (facts, profile) => targetsOf(facts, profile),
  absentBecause: "the profile asks for no MTU (nics[].mtuBytes)",

  read: (host, target) => readCount(host, pathOf(target)),

  desired({ facts, profile, target, current }) {
    const nic = facts.nics.find(({ name }) => name === target.name);
    if (nic === undefined) return leave("the facts do not have this NIC");
    return desiredMtu(nic, facts, profile, current);
  },

  writes: (value, target) => [{ kind: "kernel-file", path: pathOf(target), text: `${value}\n` }],
  explainShortfall: (wanted) => `the driver takes no ${wanted}: "ip -d link" shows its minimum and maximum`,
});

function targetsOf(facts: HostFacts, profile: HostProfile): Target[] {
  return facts.nics
    .filter((nic) => nicEntries(nic, profile).some(({ mtuBytes }) => mtuBytes !== undefined))
    .map(({ name }) => ({ name }));
}

function desiredMtu(nic: NicFacts, facts: HostFacts, profile: HostProfile, current: number): Desired<number> {
  const { value, disagree } = askedOf(nicEntries(nic, profile).map(({ mtuBytes }) => mtuBytes));
  if (disagree !== undefined) return leave(disagree);
  if (value === undefined) return leave("the profile asks for no MTU");
  const master = facts.nics.find(({ name }) => name === nic.master);
  if (master?.kind === "bond") {
    return leave(
      `a port of ${master.name}, which hands its own MTU down: name ${master.name} in the profile`,
    );
  }
  const above = facts.nics.find(
    (other) => other.kind === "other" && other.lower.includes(nic.name) && (other.mtuBytes ?? 0) > value,
  );
  if (value < current && above !== undefined) {
    return leave(
      `refused: ${above.name} on top of it has ${above.mtuBytes}, would be lowered too and not come back`,
    );
  }
  return setTo(Math.max(LEAST_BYTES, value), `the profile asks for ${value} bytes on ${nic.name}`);
}

function pathOf({ name }: Target): string {
  return `/sys/class/net/${name}/mtu`;
}
