import { writeFile } from "node:fs/promises";
import { decideHost } from "../engine/plan-host.ts";
import { InputError } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { readServiceNamespaces } from "../namespaces/read-namespaces.ts";
import { renderNamespaces } from "../report/render-namespaces.ts";
import { renderPlan } from "../report/render-plan.ts";
import { errnoText } from "../sys/errno.ts";
import { writeJson } from "./verb-frame.ts";
import { type PlanningOptions, readVerbInput } from "./verb-input.ts";

export interface PlanOptions extends PlanningOptions {
  readonly out?: string;
  readonly script?: boolean;
  readonly podSysctls?: boolean;
  readonly kubernetesVersion?: string;
}

/** Shows, and with --out saves, what apply would do. */
export async function plan(options: PlanOptions): Promise<ExitCode> {
  const input = await readVerbInput(options);
  if (options.podSysctls === true) return (await import("./pod-sysctls.ts")).printPodSysctls(input, options);
  const { plan: decided, decisions } = await decideHost(input);
  const namespaces = await readServiceNamespaces(input);
  const hostPlan = { ...decided, namespaces };
  if (options.out !== undefined) await savePlan(options.out, `${JSON.stringify(hostPlan, null, 2)}\n`);
  if (options.json === true) writeJson(hostPlan);
  else if (options.script === true) {
    const { renderScript } = await import("../report/render-script.ts");
    const { scriptStepsOf } = await import("../engine/script-steps.ts");
    process.stdout.write(renderScript(hostPlan, scriptStepsOf(input.host, decisions)));
  } else {
    process.stdout.write(renderPlan(hostPlan, options) + renderNamespaces(namespaces, options));
    if (options.out !== undefined) {
      process.stdout.write(
        `Saved to ${options.out}; "bedplate apply --plan ${options.out}" does this or nothing\n`,
      );
    }
  }
  return hostPlan.steps.some((step) => step.action === "failed") ? EXIT_CODE.failed : EXIT_CODE.asWanted;
}

async function savePlan(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text);
  } catch (cause) {
    throw new InputError(file, [{ path: "", message: `Cannot write the plan: ${errnoText(cause)}` }], {
      cause,
    });
  }
}
