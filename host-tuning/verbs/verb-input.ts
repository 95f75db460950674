import type { Phase } from "../engine/plan-host.ts";
import type { PhaseDuration } from "../engine/run-context.ts";
import { roundMillis } from "../engine/run-context.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import { readFacts } from "../facts/read-facts.ts";
import { KNOBS } from "../knobs/index.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { loadProfile } from "../profile/load-profile.ts";
import { type LiveHost, openHost } from "../sys/live-host.ts";
import type { CommonOptions } from "./verb-frame.ts";

export interface PlanningOptions extends CommonOptions {
  readonly profile?: string;
  readonly phase: Phase;
  readonly all?: boolean;
}

/** What planning verbs work on: the host, its facts, its profile and the registry. */
export interface VerbInput {
  readonly host: LiveHost;
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  readonly profileSource: string;
  readonly knobs: readonly AnyKnob[];
  readonly phase: Phase;
  readonly earlier: readonly PhaseDuration[];
}

/** The profile is read first: a fault in it is told before the host is looked at. */
export async function readVerbInput(options: PlanningOptions): Promise<VerbInput> {
  const host = openHost(options.root);
  const { profile, source } = await loadProfile(host, KNOBS, options.profile);
  const { facts, earlier } = await readTimedFacts(host);
  return { host, facts, profile, profileSource: source, knobs: KNOBS, phase: options.phase, earlier };
}

export async function readTimedFacts(
  host: LiveHost,
): Promise<{ facts: HostFacts; earlier: readonly PhaseDuration[] }> {
  const fromMillis = performance.now();
  const facts = await readFacts(host);
  return { facts, earlier: [{ name: "facts", durationMillis: roundMillis(performance.now() - fromMillis) }] };
}
