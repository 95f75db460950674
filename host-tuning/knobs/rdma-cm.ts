import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { DCB_FIELDS, roceOf } from "./dcb.ts";
import type { Target } from "./knob.ts";

/** What both settings of the RDMA connection manager have in common. */
export const RDMA_CM_FIELDS = {
  family: DCB_FIELDS.family,
  scope: DCB_FIELDS.scope,
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  isReversible: true,
  absentBecause: "the profile asks for RoCE on no interface that an RDMA device has (nics[].roce)",
  kernelRange: "the module rdma_cm, where /sys/kernel/config/rdma_cm/<device> was made",
} as const;

/** Ports of RDMA devices over Ethernet whose interface the profile wants lossless: `mlx5_0/1`. */
export function rocePorts(facts: HostFacts, profile: HostProfile): readonly Target[] {
  return facts.rdma.devices.flatMap((device) =>
    device.ports
      .filter(
        ({ linkLayer, netdev }) =>
          linkLayer === "Ethernet" && netdev !== null && roceOf(netdev, facts, profile).length > 0,
      )
      .map(({ port }) => ({ name: `${device.name}/${port}` })),
  );
}

/** Interface of a port. */
export function netdevOf(target: Target, facts: HostFacts): string | undefined {
  const [name, port] = target.name.split("/");
  const device = facts.rdma.devices.find((candidate) => candidate.name === name);
  return device?.ports.find((candidate) => candidate.port === Number(port))?.netdev ?? undefined;
}

/** File of a port in configfs. @returns `undefined` for a name that is no port's */
export function rdmaCmFile(target: Target, file: string): string | undefined {
  const [, device, port] = /^([A-Za-z0-9._-]{1,63})\/(\d{1,3})$/.exec(target.name) ?? [];
  return device === undefined || port === undefined || /^\.+$/.test(device)
    ? undefined
    : `/sys/kernel/config/rdma_cm/${device}/ports/${port}/${file}`;
}
