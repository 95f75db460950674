import type { Phase, PlanInput } from "../engine/plan-input.ts";
import { type Past, readPast } from "../engine/own-changes.ts";
import type { Confirmation } from "../engine/pending-changes.ts";
import type { PhaseDuration } from "../engine/run-context.ts";
import { roundMillis } from "../engine/run-context.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import { readFacts } from "../facts/read-facts.ts";
import { KNOBS } from "../knobs/index.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { loadProfile } from "../profile/load-profile.ts";
import { type LiveHost, openHost } from "../sys/live-host.ts";
import { targetsOfDevice } from "./device-targets.ts";
import type { CommonOptions } from "./verb-frame.ts";

export interface PlanningOptions extends CommonOptions {
  readonly profile?: string;
  readonly phase: Phase;
  readonly all?: boolean;
  /** Only what acts on this device. */
  readonly device?: string;
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
  readonly confirmation: Confirmation;
  readonly past: Past | undefined;
  readonly isChosen?: NonNullable<PlanInput["isChosen"]>;
}

/** A plan made so is refused by an apply to which it matters, and verify cannot say what drifted. */
const WITHOUT_JOURNAL =
  "bedplate: the journal is root's to read: values that Bedplate set count as the host's own here\n";

/** The profile is read first: a fault in it is told before the host is looked at. */
export async function readVerbInput(options: PlanningOptions): Promise<VerbInput> {
  const host = openHost(options.root);
  const { profile, source } = await loadProfile(host, KNOBS, options.profile);
  const { facts, earlier } = await readTimedFacts(host);
  const past = await readPast(host);
  if (past === undefined) process.stderr.write(WITHOUT_JOURNAL);
  const { phase, device } = options;
  return {
    ...(device === undefined ? {} : { isChosen: targetsOfDevice(facts, device) }),
    host,
    facts,
    profile,
    profileSource: source,
    knobs: KNOBS,
    phase,
    earlier,
    past,
    confirmation: confirmation(),
  };
}

/** The timer runs this same program: the link to the one in force, where it was started by that. */
export function confirmation(): Confirmation {
  const main = process.argv[1] ?? "";
  return { revert: [process.execPath, ...process.execArgv, main, "rollback", "--unconfirmed", "--log-json"] };
}

export async function readTimedFacts(
  host: LiveHost,
): Promise<{ facts: HostFacts; earlier: readonly PhaseDuration[] }> {
  const fromMillis = performance.now();
  const facts = await readFacts(host);
  return { facts, earlier: [{ name: "facts", durationMillis: roundMillis(performance.now() - fromMillis) }] };
}
