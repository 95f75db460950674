import { type ApplyInput, applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { readPast } from "../../../host-tuning/engine/own-changes.ts";
import { planHost } from "../../../host-tuning/engine/plan-host.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { type HostStatus, statusOf } from "../../../host-tuning/engine/status-of.ts";
import { verifyHost } from "../../../host-tuning/engine/verify-host.ts";
import type { HostPlan } from "../../../host-tuning/engine/host-plan.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import type { HostReport, ReportEntry } from "../../../host-tuning/report/host-report.ts";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { DEMO_KNOBS } from "./demo-knobs.ts";

export interface EngineChanges extends Partial<Omit<ApplyInput, "host" | "profile">> {
  readonly host?: LiveHost;
  readonly profile?: Omit<HostProfileInput, "apiVersion" | "kind">;
}

/** The engine's verbs on a root, with demo knobs and a fixed host unless said otherwise. */
export interface Engine {
  plan(changes?: EngineChanges): Promise<HostPlan>;
  apply(changes?: EngineChanges): Promise<HostReport>;
  verify(changes?: EngineChanges): Promise<HostReport>;
  rollback(changes?: { readonly knobs?: readonly AnyKnob[]; readonly host?: LiveHost }): Promise<HostReport>;
  status(): Promise<HostStatus>;
}

export function engineOn(root: string): Engine {
  const input = ({ profile, ...changes }: EngineChanges): ApplyInput => ({
    host: openHost(root),
    facts: sampleFacts(),
    knobs: DEMO_KNOBS,
    phase: "all",
    ...changes,
    profile: sampleProfile(profile ?? {}),
  });
  return {
    plan: async (changes = {}) => {
      const asked = input(changes);
      return await planHost({ past: await readPast(asked.host), ...asked });
    },
    apply: async (changes = {}) => await applyPlan(input(changes)),
    verify: async (changes = {}) => await verifyHost(input(changes)),
    rollback: async (changes = {}) =>
      await rollbackHost({
        host: openHost(root),
        knobs: DEMO_KNOBS,
        hostname: "demo",
        kernelRelease: null,
        ...changes,
      }),
    status: async () => await statusOf({ host: openHost(root), knobs: DEMO_KNOBS }),
  };
}

/** Outcome by key, the whole report on a few lines. */
export function outcomesOf(report: HostReport): Record<string, string> {
  return Object.fromEntries(report.entries.map((entry) => [entry.key, entry.outcome]));
}

export function entryNamed(report: HostReport, key: string): ReportEntry {
  const entry = report.entries.find((candidate) => candidate.key === key);
  if (entry === undefined)
    throw new Error(`no entry ${key} among ${Object.keys(outcomesOf(report)).join(", ")}`);
  return entry;
}
