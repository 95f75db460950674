import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import type { LiveHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { numberKnob } from "./demo-knobs.ts";
import { liveTree } from "./live-tree.ts";

/**
 * A program for commit-confirm.test.ts: applies one change that can cut the host off to a tree, and kills itself at the
 * moment that is asked for.
 */
const [root = "", moment] = process.argv.slice(2);

const die = (): never => {
  process.kill(process.pid, "SIGKILL");
  throw new Error("still alive");
};

const { host: tree } = liveTree(root, (tool) => {
  if (tool === "systemd-run" && moment === "armed") die();
  return { exitCode: 0, stdout: "", stderr: "" };
});
const host: LiveHost = new Proxy(tree, {
  get: (target, name) =>
    name === "writeKernelFile"
      ? async (path: string, text: string) => {
          if (moment === "journaled") die();
          await target.writeKernelFile(path, text);
          if (moment === "written") die();
        }
      : (Reflect.get(target, name) as unknown),
});
await applyPlan({
  host,
  facts: sampleFacts(),
  profile: sampleProfile(),
  knobs: [numberKnob("link", 9000, { canCutOff: true })],
  phase: "all",
  confirmation: { revert: ["bedplate"], whyNotReachable: async () => await Promise.resolve(die()) },
});
