import { readFileSync, writeFileSync } from "node:fs";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { decideHost } from "../../../host-tuning/engine/plan-host.ts";
import { scriptStepsOf } from "../../../host-tuning/engine/script-steps.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { renderScript } from "../../../host-tuning/report/render-script.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { runTool } from "../../../host-tuning/sys/tool.ts";
import { sampleProfile } from "../../helpers/facts.ts";

/**
 * A program for render-script.test.ts, run in a network namespace of its own: brings its sysctls to the plan by the way
 * that argv[2] names, `apply` or `script` (which it writes to argv[3] first), and prints their values.
 */
const [, , way = "", scriptPath = ""] = process.argv;
const host = openHost("/");
const knobs = KNOBS.filter((knob) => knob.family === "net" && knob.scope === "netns");
const input = {
  host,
  facts: await readFacts(host),
  profile: sampleProfile({ workload: { connections: 50_000, streams: 50_000, rttMillis: 20 } }),
  knobs,
  phase: "all" as const,
};
let exitCode = 0;
if (way === "apply") await applyPlan(input);
else {
  const { plan, decisions } = await decideHost(input);
  writeFileSync(scriptPath, renderScript(plan, scriptStepsOf(host, decisions)));
  exitCode = (await runTool("sh", [scriptPath]))?.exitCode ?? -1;
}
const values = knobs.map(({ id }) => [id, valueOf(id)]);
process.stdout.write(JSON.stringify({ exitCode, values: Object.fromEntries(values) as unknown }));

function valueOf(id: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${id.replaceAll(".", "/")}`, "utf8");
  } catch {
    return undefined;
  }
}
