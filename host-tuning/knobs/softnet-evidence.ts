import type { HostFacts } from "../facts/host-facts.ts";
import { parseSoftnet } from "../facts/softnet.ts";
import type { Host } from "../sys/host.ts";

/** One run in this many packets that ended with work left is a sign and not chance. Our choice. */
const PACKETS_PER_SQUEEZE = 10_000;
/** Fewer packets than this prove nothing. Our choice. */
const LEAST_PACKETS = 1_000_000;

type Softnet = NonNullable<HostFacts["softnet"]>;

/** Has the receive softirq run out of budget often enough that a longer one would help. */
export function isSqueezed(softnet: HostFacts["softnet"]): boolean {
  return (
    softnet !== null &&
    softnet.processed >= LEAST_PACKETS &&
    softnet.timeSqueezed * PACKETS_PER_SQUEEZE >= softnet.processed
  );
}

/** Without the counts: a reason is part of the plan, which must not go stale because packets came. */
export const SQUEEZED = `more than one run of the receive softirq in ${PACKETS_PER_SQUEEZE} packets ended with work left`;

function squeezeText({ processed, timeSqueezed }: Softnet): string {
  return `${timeSqueezed} runs of the receive softirq ended with work left, for ${processed} packets`;
}

/** The counters as they are now, for `explain`. */
export async function softnetEvidence(host: Host): Promise<string | undefined> {
  const text = await host.readText("/proc/net/softnet_stat");
  const softnet = text === undefined ? undefined : parseSoftnet(text);
  if (softnet === undefined) return undefined;
  return `since boot: ${squeezeText(softnet)}; ${softnet.dropped} dropped at a full backlog`;
}
