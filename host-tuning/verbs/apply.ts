import { readFile } from "node:fs/promises";
import { applyPlan } from "../engine/apply-plan.ts";
import { parsePlan } from "../engine/plan-file.ts";
import { exitCodeOf } from "../engine/report-of.ts";
import { InputError } from "../errors.ts";
import type { ExitCode } from "../exit-code.ts";
import { KNOBS } from "../knobs/index.ts";
import { renderReport } from "../report/render-report.ts";
import { saveReport } from "../report/save-report.ts";
import { errnoText } from "../sys/errno.ts";
import { openHost } from "../sys/live-host.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, type VerbInput, readTimedFacts, readVerbInput } from "./verb-input.ts";
import { watcher } from "./watcher.ts";

export interface ApplyOptions extends PlanningOptions {
  readonly plan?: string;
}

/** Brings the host to its plan and reports every value as it was read back. */
export async function apply(options: ApplyOptions): Promise<ExitCode> {
  const observer = watcher(options);
  const input =
    options.plan === undefined ? await readVerbInput(options) : await inputOfPlan(options, options.plan);
  const report = await applyPlan({ ...input, observer });
  if (options.json === true) writeJson(report);
  else process.stdout.write(renderReport(report, options));
  await saveReport(input.host, report);
  return exitCodeOf(report);
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
