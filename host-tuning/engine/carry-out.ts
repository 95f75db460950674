import type { HostFacts } from "../facts/host-facts.ts";
import { readFacts } from "../facts/read-facts.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { ReportEntry } from "../report/host-report.ts";
import type { ApplyInput } from "./apply-plan.ts";
import { attemptsFor } from "./attempt.ts";
import type { JournalWriter } from "./journal.ts";
import { decideAgain, decideKnob } from "./decide-knob.ts";
import type { Decision } from "./decision.ts";
import { guardAttempts } from "./pending-changes.ts";
import { readBack } from "./read-back.ts";
import { entryOf } from "./report-of.ts";
import { type SavingContext, stepRecords } from "./step-records.ts";
import { reloadAfter, writeSteps } from "./write-steps.ts";

export interface CarriedOut {
  /** What was decided in the end: settings that were discovered anew stand here with the targets that they have now. */
  readonly decisions: readonly Decision[];
  /** Entries of what was written, by key. */
  readonly changed: ReadonlyMap<string, ReportEntry>;
  /** Entries of what was left alone and has another value all the same, as a write of another knob has reset it. */
  readonly reset: ReadonlyMap<string, ReportEntry>;
}

interface Wave {
  readonly changed: ReadonlyMap<string, ReportEntry>;
  readonly reset: ReadonlyMap<string, ReportEntry>;
}

/**
 * Does what was decided, in waves. A knob that a write gives other targets (a NIC's queues give it other interrupts)
 * waits for that write; then the facts are read again and it is decided anew, so that nothing is written to what is
 * gone and nothing new is forgotten. Most plans are one wave.
 */
export async function carryOut(
  input: ApplyInput,
  decisions: readonly Decision[],
  journal: JournalWriter,
  context: SavingContext,
): Promise<CarriedOut> {
  const done: Decision[] = [];
  const changed = new Map<string, ReportEntry>();
  const reset = new Map<string, ReportEntry>();
  let [pending, facts] = [decisions, input.facts];
  while (pending.length > 0) {
    const writing = writtenBy(pending);
    const waits = ({ knob }: Decision): boolean =>
      knob.rediscoverAfter?.some((id) => writing.has(id)) === true;
    const waiting = pending.filter(waits);
    const ready = pending.filter((decision) => !waits(decision));
    const wave = await carryOutWave({ ...input, facts }, { ready, waiting }, journal, context);
    for (const [key, entry] of wave.changed) changed.set(key, entry);
    for (const [key, entry] of wave.reset) reset.set(key, entry);
    done.push(...ready);
    if (waiting.length === 0) break;
    facts = await context.run.timed("read facts again", async () => await readAgain(input));
    pending = await decideAnew({ ...input, facts }, waiting);
  }
  const order = new Map(decisions.map(({ knob }, index) => [knob.id, index]));
  return {
    decisions: done.toSorted((a, b) => (order.get(a.knob.id) ?? 0) - (order.get(b.knob.id) ?? 0)),
    changed,
    reset,
  };
}

async function readAgain({ readFactsAgain, host }: ApplyInput): Promise<HostFacts> {
  return await (readFactsAgain?.() ?? readFacts(host));
}

/** Decisions of the same knobs, for the targets that the facts name now. */
async function decideAnew(input: ApplyInput, waiting: readonly Decision[]): Promise<readonly Decision[]> {
  const knobs = new Set<AnyKnob>(waiting.map(({ knob }) => knob));
  return (await Promise.all([...knobs].map(async (knob) => await decideKnob(knob, input)))).flat();
}

/**
 * One wave in two rounds: the second is for settings that looked right and that a write of the first has reset (a
 * disk's scheduler resets its queue length).
 */
async function carryOutWave(
  input: ApplyInput,
  { ready, waiting }: { readonly ready: readonly Decision[]; readonly waiting: readonly Decision[] },
  journal: JournalWriter,
  context: SavingContext,
): Promise<Wave> {
  const writing = writtenBy(ready);
  const isReset = ({ knob, before }: Decision): boolean =>
    before !== undefined && knob.after?.some((id) => writing.has(id)) === true;
  const bystanders = ready.filter((decision) => decision.step.action !== "set" && isReset(decision));
  const savedFor = [...bystanders, ...waiting.filter(isReset)];
  const first = await carryOutRound(input, ready, savedFor, { journal, context });
  if (bystanders.length === 0) return { changed: first, reset: new Map() };
  const again = await Promise.all(bystanders.map(async (decision) => await decideAgain(decision, input)));
  const second = await carryOutRound(input, again, [], { journal, context });
  const planned = new Map(bystanders.map(({ step }) => [step.key, entryOf(step)]));
  const secondAsPlanned = [...second].map(([key, entry]): [string, ReportEntry] => {
    // For people the value before this run counts, not what it was in between.
    const before = planned.get(key)?.before ?? entry.before;
    const isBack = entry.isVerified && entry.found === before;
    return [key, { ...entry, before, outcome: isBack ? "already-right" : entry.outcome }];
  });
  const leftAlone = again
    .filter(({ step }) => step.action !== "set")
    .map(({ step }): [string, ReportEntry] => {
      const entry = entryOf(step);
      return [step.key, { ...entry, before: planned.get(step.key)?.before ?? entry.before }];
    });
  return { changed: new Map([...first, ...secondAsPlanned]), reset: new Map(leftAlone) };
}

/** Ids of the knobs that something is to be written for. */
function writtenBy(decisions: readonly Decision[]): ReadonlySet<string> {
  return new Set(decisions.filter(({ step }) => step.action === "set").map(({ knob }) => knob.id));
}

/** @param bystanders settings whose originals are saved too, as a write of this round resets them */
async function carryOutRound(
  input: ApplyInput,
  decisions: readonly Decision[],
  bystanders: readonly Decision[],
  { journal, context }: { readonly journal: JournalWriter; readonly context: SavingContext },
): Promise<Map<string, ReportEntry>> {
  const { host, observer } = input;
  const { run } = context;
  const wished = attemptsFor(decisions);
  if (wished.length === 0) return new Map();
  const { records, left } = await guardAttempts(input, wished, context);
  const attempts = wished.filter((attempt) => !left.has(attempt));
  await run.timed("save originals", async () => {
    journal.append([...records, ...(await stepRecords(attempts, bystanders, context))]);
    journal.sync();
  });
  await run.timed("write", async () => await writeSteps(host, attempts, observer));
  await run.timed("reload", async () => await reloadAfter(host, attempts));
  const entries = await run.timed("read back", async () => await readBack(host, attempts));
  for (const [{ decision }, because] of left) {
    const entry = entryOf(decision.step);
    entries.set(entry.key, { ...entry, outcome: "left", because: `${because}; not set: ${entry.because}` });
  }
  return entries;
}
