import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { exitCodeOf } from "../../../host-tuning/engine/report-of.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { statusOf } from "../../../host-tuning/engine/status-of.ts";
import { verifyHost } from "../../../host-tuning/engine/verify-host.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleProfile } from "../../helpers/facts.ts";

/** A program for real-kernel.test.ts: one round of the engine on "/", with no knob but those of a network namespace. */
export interface RoundResult {
  readonly applied: HostReport["counts"];
  readonly appliedAgain: HostReport["counts"];
  readonly verified: number;
  readonly driftSeen: readonly string[];
  readonly atStart: Record<string, string | undefined>;
  readonly afterApply: Record<string, string | undefined>;
  readonly afterRollback: Record<string, string | undefined>;
  readonly refused: string;
}

const host = openHost("/");
const knobs = KNOBS.filter((knob) => knob.family === "net" && knob.scope === "netns");
const input = {
  host,
  facts: await readFacts(host),
  profile: sampleProfile({ workload: { connections: 50_000, streams: 50_000, rttMillis: 20 } }),
  knobs,
  phase: "all" as const,
};

async function values(): Promise<Record<string, string | undefined>> {
  const read = async (id: string): Promise<[string, string | undefined]> => [
    id,
    await host.readText(`/proc/sys/${id.replaceAll(".", "/")}`),
  ];
  return Object.fromEntries(await Promise.all(knobs.map(async (knob) => await read(knob.id))));
}

const atStart = await values();
const applied = await applyPlan(input);
const afterApply = await values();
const appliedAgain = await applyPlan(input);
const verified = exitCodeOf(await verifyHost(input));
await host.writeKernelFile("/proc/sys/net/ipv4/tcp_slow_start_after_idle", "1\n");
const { entries } = await statusOf({ host, knobs });
const driftSeen = entries.filter((entry) => entry.standing === "drifted").map((entry) => entry.key);
await applyPlan(input);
const refused = await host.writeKernelFile("/proc/sys/net/ipv4/tcp_tw_reuse", "77\n").then(
  () => "taken",
  (error: unknown) => (error instanceof Error ? error.message : "no error"),
);
await rollbackHost({ host, knobs, hostname: null, kernelRelease: null });
const result: RoundResult = {
  applied: applied.counts,
  appliedAgain: appliedAgain.counts,
  verified,
  driftSeen,
  atStart,
  afterApply,
  afterRollback: await values(),
  refused,
};
process.stdout.write(JSON.stringify(result));
