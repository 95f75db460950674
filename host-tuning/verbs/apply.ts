import { readFile } from "node:fs/promises";
import { applyPlan } from "../engine/apply-plan.ts";
import { addressesNow } from "../engine/keep-addresses.ts";
import { parsePlan } from "../engine/plan-file.ts";
import { exitCodeOf } from "../engine/report-of.ts";
import { InputError, TuningError } from "../errors.ts";
import type { ExitCode } from "../exit-code.ts";
import { refusalOf } from "../facts/distribution.ts";
import { KNOBS } from "../knobs/index.ts";
import type { HostReport } from "../report/host-report.ts";
import { renderReport } from "../report/render-report.ts";
import { joinPhases, saveReport } from "../report/save-report.ts";
import { errnoText } from "../sys/errno.ts";
import { openHost } from "../sys/live-host.ts";
import { writeJson } from "./verb-frame.ts";
import {
  type PlanningOptions,
  type VerbInput,
  confirmation,
  readTimedFacts,
  readVerbInput,
} from "./verb-input.ts";
import { watcher } from "./watcher.ts";

export interface ApplyOptions extends PlanningOptions {
  readonly plan?: string;
  /** Go on where the distribution is none that the agent is made for. */
  readonly anyDistribution?: boolean;
}

/** Brings the host to its plan and reports every value as it was read back. */
export async function apply(options: ApplyOptions): Promise<ExitCode> {
  const report = await applyAsAsked(options);
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderReport(report, options));
  await saveReport(openHost(options.root), report);
  return exitCodeOf(report);
}

/**
 * Both phases are two runs, as they are at boot: what the first makes (virtual functions, queues) is a fact for the
 * second. A saved plan is one run, as it was reviewed.
 */
async function applyAsAsked(options: ApplyOptions): Promise<HostReport> {
  const observer = watcher(options);
  if (options.plan !== undefined) {
    return applyPlan({ ...onKnownHost(await inputOfPlan(options, options.plan), options), observer });
  }
  const inputOf = async (phase: ApplyOptions["phase"]): Promise<VerbInput> =>
    onKnownHost(await readVerbInput({ ...options, phase }), options);
  if (options.phase !== "all") return applyPlan({ ...(await inputOf(options.phase)), observer });
  const early = await applyPlan({ ...(await inputOf("early")), observer });
  const late = await applyPlan({ ...(await inputOf("late")), observer });
  return await addressesNow(openHost(options.root), joinPhases(early, late));
}

/**
 * Looking is free everywhere; writing is for distributions whose files and boot loaders the agent knows.
 *
 * @throws {TuningError} UNSUPPORTED_HOST
 */
function onKnownHost<T extends VerbInput>(input: T, { anyDistribution }: ApplyOptions): T {
  const refusal = anyDistribution === true ? undefined : refusalOf(input.facts.distribution);
  if (refusal === undefined) return input;
  throw new TuningError(
    "UNSUPPORTED_HOST",
    "/etc/os-release",
    `Cannot apply: ${refusal}. facts, plan and verify work; apply --any-distribution goes on all the same`,
  );
}

/** A saved plan brings its own profile and phase; its steps are only compared. */
async function inputOfPlan(
  options: ApplyOptions,
  file: string,
): Promise<VerbInput & { readonly expected: { plan: ReturnType<typeof parsePlan>; source: string } }> {
  const plan = parsePlan(await readPlanFile(file), file, KNOBS);
  const host = openHost(options.root);
  const { facts, earlier } = await readTimedFacts(host);
  return {
    host,
    facts,
    profile: plan.profile,
    profileSource: file,
    knobs: KNOBS,
    phase: plan.phase,
    earlier,
    // Read anew under the lock, as always; nobody looks at it before.
    past: undefined,
    confirmation: confirmation(),
    expected: { plan, source: file },
  };
}

async function readPlanFile(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw new InputError(file, [{ path: "", message: `Cannot read: ${errnoText(cause)}` }], { cause });
  }
}
