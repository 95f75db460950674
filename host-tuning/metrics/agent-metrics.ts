import { agentVersion } from "../agent-version.ts";
import { HOST_PATHS } from "../boot/paths.ts";
import { type DriftState, readDriftState } from "../engine/drift-state.ts";
import { foldJournal } from "../engine/journal-state.ts";
import { JOURNAL_PATH, readJournal } from "../engine/journal.ts";
import { TuningError } from "../errors.ts";
import { type HostReport, hostReportSchema } from "../report/host-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { type MetricFamily, type Sample, single } from "./metric-family.ts";

/** What the agent knows of its own work on this host: from its last report, its last look for drift, its journal. */
export async function readAgentMetrics(host: LiveHost): Promise<MetricFamily[]> {
  const report = await readReport(host);
  const drift = await readDriftState(host);
  const journal = readPending(host);
  return [
    {
      name: "bedplate_agent_info",
      type: "gauge",
      help: "Version of the agent; always 1.",
      samples: [{ labels: { version: agentVersion }, value: 1 }],
    },
    {
      name: "bedplate_journal_readable",
      type: "gauge",
      help: `1 when ${JOURNAL_PATH} can be read and is whole, so that a rollback is possible.`,
      samples: [{ value: journal === undefined ? 0 : 1 }],
    },
    single(
      "bedplate_confirmation_pending",
      "gauge",
      "1 while a change that can cut the host off waits to be confirmed.",
      journal === undefined ? undefined : Number(journal > 0),
    ),
    ...applyMetrics(report),
    ...driftMetrics(drift),
  ];
}

async function readReport(host: LiveHost): Promise<HostReport | undefined> {
  const text = await host.readText(HOST_PATHS.report);
  if (text === undefined) return undefined;
  try {
    return hostReportSchema.safeParse(JSON.parse(text)).data;
  } catch {
    // Torn or foreign: a copy for readers, and no source of anything.
    return undefined;
  }
}

/** Groups that wait to be confirmed; `undefined` when the journal is broken or not ours to read. */
function readPending(host: LiveHost): number | undefined {
  try {
    return foldJournal(readJournal(host).records).pending.size;
  } catch (error) {
    if (error instanceof TuningError) return undefined;
    throw error;
  }
}

function applyMetrics(report: HostReport | undefined): MetricFamily[] {
  const outcomes = new Map<string, Sample>();
  for (const { knob, outcome } of report?.entries ?? []) {
    const key = `${knob}\0${outcome}`;
    const value = (outcomes.get(key)?.value ?? 0) + 1;
    outcomes.set(key, { labels: { knob, outcome }, value });
  }
  return [
    {
      name: "bedplate_knob_outcome",
      type: "gauge",
      help: "Settings of a knob (one per device) by what became of them in the last apply.",
      samples: [...outcomes.values()],
    },
    single(
      "bedplate_reboot_needed",
      "gauge",
      "1 when the last apply wrote something that takes effect with a reboot.",
      report === undefined ? undefined : Number(report.counts["needs-reboot"] > 0),
    ),
    single(
      "bedplate_last_apply_timestamp_seconds",
      "gauge",
      "When the last apply began, seconds since 1970.",
      secondsOf(report?.startedAt),
    ),
    single(
      "bedplate_last_apply_duration_seconds",
      "gauge",
      "How long the last apply took.",
      report === undefined ? undefined : report.durationMillis / 1000,
    ),
  ];
}

function driftMetrics(state: DriftState | undefined): MetricFamily[] {
  const standing = (state?.last.entries ?? []).filter((entry) => entry.action !== "healed");
  const byKnob = Map.groupBy(standing, (entry) => entry.knob);
  const yielded = state === undefined ? undefined : Object.keys(state.yielded).length;
  return [
    {
      name: "bedplate_knob_drifted",
      type: "gauge",
      help: "Settings of a knob that somebody changed after Bedplate and that still are.",
      samples: [...byKnob].map(([knob, entries]) => ({ labels: { knob }, value: entries.length })),
    },
    {
      name: "bedplate_knob_drift_first_seen_timestamp_seconds",
      type: "gauge",
      help: "When the oldest of these was first seen, seconds since 1970.",
      samples: [...byKnob].map(([knob, entries]) => ({
        labels: { knob },
        value: Math.min(...entries.map((entry) => Date.parse(entry.firstSeenAt))) / 1000,
      })),
    },
    single(
      "bedplate_drifted_settings",
      "gauge",
      "Settings that somebody changed after Bedplate and that still are, over all knobs.",
      state?.last.standing,
    ),
    single(
      "bedplate_yielded_settings",
      "gauge",
      "Settings that are not put back any more because somebody kept changing them.",
      yielded,
    ),
    single(
      "bedplate_last_check_timestamp_seconds",
      "gauge",
      "When the last look for drift began, seconds since 1970.",
      secondsOf(state?.last.startedAt),
    ),
    single(
      "bedplate_last_check_duration_seconds",
      "gauge",
      "How long the last look for drift took.",
      state === undefined ? undefined : state.last.durationMillis / 1000,
    ),
  ];
}

function secondsOf(at: string | undefined): number | undefined {
  return at === undefined ? undefined : Date.parse(at) / 1000;
}
