import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type Wanted, clamp, leave, powerOfTwoAtLeast, raiseTo } from "./desired.ts";
import { AVERAGE_PACKET_BYTES } from "./nic-ring.ts";
import { packetSteering } from "./packet-steering.ts";
import { serviceNic } from "./socket-buffer.ts";
import { softnetEvidence } from "./softnet-evidence.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** How long a backlog must hold the line rate while its CPU is elsewhere. Our choice. */
const PAUSE_MILLIS = 1;
/** Four times the kernel's, where the link's speed is not known. Our choice. */
const UNKNOWN_SPEED_PACKETS = 4096;
/** More than this only holds packets that are late already. Our choice. */
const MOST_PACKETS = 16_384;

/**
 * net.core.netdev_max_backlog: packets that wait for a CPU to take them, where another CPU or a virtual interface hands
 * them over (packet steering, containers' veth, loopback). NICs with a driver of their own poll past it.
 *
 * @example 25 Gbit/s bring 6104 packets of 512 bytes in 1 ms: 8192
 */
export const netCoreNetdevMaxBacklog = integerSysctl({
  id: "net.core.netdev_max_backlog",
  title: "Packets that wait for a CPU they were handed to",
  unit: "packets",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "a longer backlog holds packets for longer, up to one for each entry and CPU" },
  kernelDefault: "1000",
  anchors: { saptune: "300000 (NetApp NFS note)", bpftune: "+25 % while packets are dropped" },
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/net.html#netdev-max-backlog",
    "https://docs.kernel.org/networking/scaling.html",
  ],
  evidence: softnetEvidence,
  desired({ facts, profile, current }) {
    const user = backlogUser(facts, profile);
    if (user === undefined) {
      return leave("no packet was dropped at it, and neither packet steering nor containers use it");
    }
    const hasDrops = (facts.softnet?.dropped ?? 0) > 0;
    if (profile.preset === "latency" && !hasDrops) {
      return leave(`${user}, but a longer backlog only holds packets that are late already`);
    }
    const { value, because } = backlogFor(facts);
    return raiseTo({ value, because: `${user}: ${because}` }, { current, profile });
  },
});

function backlogUser(facts: HostFacts, profile: HostProfile): string | undefined {
  if ((facts.softnet?.dropped ?? 0) > 0) return "packets were dropped at a full backlog since boot";
  if (profile.service.runtime === "kubernetes") return "packets of pods wait in it";
  const steered = facts.nics.find(
    (nic) => nic.isPhysical && packetSteering(nic, facts, profile).cpus !== undefined,
  );
  return steered === undefined ? undefined : `packets of ${steered.name} are handed from CPU to CPU`;
}

function backlogFor(facts: HostFacts): Wanted<number> {
  const nic = serviceNic(facts);
  const speed = nic?.speedMbitPerSec ?? 0;
  if (nic === undefined || speed <= 0) {
    return {
      value: UNKNOWN_SPEED_PACKETS,
      because: "the link's speed is not known, four times the kernel's",
    };
  }
  const packets = Math.ceil(((speed * 1e6) / 8 / AVERAGE_PACKET_BYTES) * (PAUSE_MILLIS / 1e3));
  return {
    value: clamp(powerOfTwoAtLeast(packets), 1024, MOST_PACKETS),
    because: `${speed} Mbit/s bring ${packets} packets of ${AVERAGE_PACKET_BYTES} bytes in ${PAUSE_MILLIS} ms`,
  };
}
