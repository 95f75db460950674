import * as z from "zod";
import { sha256Of } from "../../../tools/archive/pack.ts";
import type { FileEntry } from "../../user-data/render-user-data.ts";
import type { HostLook } from "./host-look.ts";
import type { TunedHostSpec } from "./tuned-host-spec.ts";

/** What an up would change on a host, for people: knob, file or unit, and from what to what. Empty: nothing. */
export type HostChanges = Readonly<Record<string, string>>;

/** Changes beside the agent's plan: what is installed, and whether it starts at boot. */
export function installationChanges(
  spec: TunedHostSpec,
  look: HostLook,
  wanted: { readonly files: readonly FileEntry[]; readonly units: readonly string[] },
): HostChanges {
  const archives = [
    archiveChange("agent", look.agent, spec.agent.sha256),
    ...(spec.service === undefined
      ? []
      : [archiveChange("service", look.service, spec.service.archive.sha256)]),
  ];
  // Before the first installation every file is missing: the archive's line says it.
  const files = look.agent === undefined ? [] : wanted.files.map((file) => fileChange(file, look));
  const units =
    look.agent === undefined
      ? []
      : wanted.units.map((unit): Change => {
          const state = look.units.get(unit) ?? "";
          return state === "enabled" ? undefined : [unit, `${state === "" ? "missing" : state} -> enabled`];
        });
  return Object.fromEntries([...archives, ...files, ...units].filter((change) => change !== undefined));
}

type Change = readonly [what: string, change: string] | undefined;

function archiveChange(name: string, found: string | undefined, wanted: string): Change {
  if (found === wanted) return undefined;
  return [name, `${found === undefined ? "not installed" : found.slice(0, 12)} -> ${wanted.slice(0, 12)}`];
}

function fileChange(file: FileEntry, look: HostLook): Change {
  const found = look.files.get(file.path);
  if (found === sha256Of(Buffer.from(file.content))) return undefined;
  return [file.path, found === undefined ? "missing -> written" : "another content -> written"];
}

/**
 * What is read of a `HostPlan`: the agent that made it may be older than we are, or newer, and its actions are only told
 * apart into those that change something and the others.
 */
export const agentPlanSchema = z.object({
  kind: z.literal("HostPlan"),
  steps: z.array(
    z.object({
      key: z.string().min(1),
      action: z.string(),
      beforeText: z.string(),
      afterText: z.string(),
      because: z.string(),
    }),
  ),
});

/** The knobs that the agent's own plan would set, with both values; one that it cannot read counts, as up would fail. */
export function planChanges(plan: z.output<typeof agentPlanSchema>): HostChanges {
  return Object.fromEntries(
    plan.steps.flatMap((step) => {
      if (step.action === "set") return [[step.key, `${step.beforeText} -> ${step.afterText}`]];
      return step.action === "failed" ? [[step.key, `cannot be read: ${step.because}`]] : [];
    }),
  );
}
