import { TuningError } from "../errors.ts";
import { type AnyKnob, type Target, type Write, stepKey } from "../knobs/knob.ts";
import type { Host } from "../sys/host.ts";
import type { LiveHost } from "../sys/live-host.ts";
import { isOfThisBoot } from "./drift.ts";
import {
  type JournalState,
  type OutstandingOriginal,
  type OutstandingStep,
  foldJournal,
  isGoneAfterReboot,
  touchedBy,
} from "./journal-state.ts";
import { readJournal } from "./journal.ts";
import { isSatisfied, textOf } from "./knob-values.ts";
import { BOOT_ID_PATH } from "./run-context.ts";
import { sha256Of } from "./step-records.ts";

/** What Bedplate did to this host before, for who decides what it should have now. */
export interface Past {
  readonly state: JournalState;
  readonly bootId: string | null;
}

/**
 * The journal's word on this host. `undefined` for who may not read it: values that Bedplate set then count as the
 * host's own, and a plan made so is refused by an apply to which they matter.
 *
 * @throws {TuningError} JOURNAL_CORRUPT
 */
export async function readPast(host: LiveHost): Promise<Past | undefined> {
  const bootId = (await host.readText(BOOT_ID_PATH))?.trim() ?? null;
  try {
    return { state: foldJournal(readJournal(host).records), bootId };
  } catch (error) {
    const isForbidden =
      error instanceof TuningError && error.code === "HOST_READ" && /EACCES|EPERM/.test(error.message);
    if (isForbidden) return undefined;
    throw error;
  }
}

/** A value in force that is what we last wrote, and what the host had before us. */
export interface OwnChange {
  readonly step: OutstandingStep;
  readonly original: unknown;
  readonly past: Past;
  /** Our configuration stands there, whatever is in force now. */
  readonly isConfigured: boolean;
}

/** Is the value in force ours. One that somebody changed after us is not, nor is a kernel value of an earlier boot. */
export async function ownChangeOf(
  past: Past | undefined,
  host: Host,
  { knob, target, before }: { readonly knob: AnyKnob; readonly target: Target; readonly before: unknown },
): Promise<OwnChange | undefined> {
  const step = past?.state.steps.get(stepKey(knob.id, target));
  if (past === undefined || step === undefined || !isOfThisBoot(step, past.bootId)) return undefined;
  const { base, latest, outcome } = step;
  const original = base.before;
  // Books of an agent that did not keep it, or a knob that changed its type since.
  if (original === undefined || original === null || textOf(knob, original) !== base.beforeText)
    return undefined;
  const files = (latest.touches ?? []).filter(({ sha256 }) => sha256 !== undefined);
  for (const { id, sha256 } of files) {
    const text = await host.readText(id.slice(CONFIG_ID.length));
    if (text === undefined || sha256Of(text) !== sha256) return undefined;
  }
  const isFilesOnly = files.length > 0 && files.length === latest.touches?.length;
  const found = textOf(knob, before);
  const isConfigured = files.length > 0 || knob.isPending?.(before, latest.value) === true;
  const isInForce = found === latest.valueText || found === outcome?.foundText;
  const isOurs = isInForce || isFilesOnly || (isConfigured && files.length === 0);
  return isOurs ? { step, original, past, isConfigured } : undefined;
}

const CONFIG_ID = "config-file:";

/**
 * Nothing is to be written: the value is right, and where we had set another one before, it is this one and not only
 * as good.
 */
export function isStillRight(
  knob: AnyKnob,
  own: OwnChange | undefined,
  { before, after }: { readonly before: unknown; readonly after: unknown },
): boolean {
  if (!isSatisfied(knob, before, after)) return false;
  const isSameWish = own === undefined || own.step.latest.valueText === textOf(knob, after);
  return isSameWish || isSatisfied(knob, after, before);
}

/** How the original of a value comes back. */
export interface PutBack {
  /** Byte for byte from the journal, the latest first; empty when it has to come by the knob's own writes. */
  readonly restores: readonly OutstandingOriginal[];
  /** Ids that are back in place once it has succeeded. */
  readonly closes: readonly string[];
}

/**
 * By bytes where the files are this step's alone. A file that another step shares would lose the other's part, and a
 * tool's undo has no undo: both come back by the value.
 */
export function putBackOf({ step, past }: OwnChange): PutBack {
  const { steps, originals } = past.state;
  const ids = new Set([...touchedBy(step.first), ...touchedBy(step.base), ...touchedBy(step.latest)]);
  const isShared = [...steps.values()].some(
    (other) => other.latest.key !== step.latest.key && [...touchedBy(other.latest)].some((id) => ids.has(id)),
  );
  if (isShared) return { restores: [], closes: [] };
  const mine = [...ids].flatMap((id) => originals.get(id) ?? []).toSorted((a, b) => b.sequence - a.sequence);
  const closes = mine.map(({ id }) => id);
  const isByTool = mine.some(({ original }) => original.kind === "tool");
  const restores = mine.filter(
    ({ original, bootId }) => !isGoneAfterReboot(original) || bootId === past.bootId,
  );
  return { restores: isByTool ? [] : restores, closes };
}

/** Steps of which the current profile has nothing to say: it was another one that asked for them. */
export function forgottenSteps(
  past: Past | undefined,
  decided: ReadonlySet<string>,
  profileDigest: string,
): OutstandingStep[] {
  if (past === undefined) return [];
  return [...past.state.steps.values()].filter(
    ({ latest, askedBy }) => !decided.has(latest.key) && askedBy !== undefined && askedBy !== profileDigest,
  );
}

/** An original as the write that a plan shows. */
export function writeOfOriginal({ original }: OutstandingOriginal): RestoringWrite {
  switch (original.kind) {
    case "kernel-file":
      return { kind: "kernel-file", path: original.path, text: contentText(original.before) ?? "" };
    case "config-file":
      return {
        kind: "config-file",
        path: original.path,
        text: contentText(original.before),
        ...(original.reload.length === 0 ? {} : { reload: original.reload }),
      };
    case "tool":
      return { kind: "tool", command: original.undo, undo: original.undo };
    case "boot-entries": {
      const { kind, loader, argument } = original;
      return { kind, loader, argument, words: original.before[0]?.words ?? [] };
    }
  }
  return original satisfies never;
}

/** A write of a plan: as a knob's, but that a configuration file may go. */
export type RestoringWrite =
  | Exclude<Write, { readonly kind: "config-file" }>
  | (Omit<Write & { readonly kind: "config-file" }, "text"> & { readonly text: string | null });

function contentText(content: { text: string } | { base64: string } | null): string | null {
  if (content === null) return null;
  return "text" in content ? content.text : Buffer.from(content.base64, "base64").toString("latin1");
}
