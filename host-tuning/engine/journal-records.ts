import { createHash } from "node:crypto";
import * as z from "zod";
import { type Fault } from "../errors.ts";
import { formatPath } from "../profile/parse-contract.ts";
import { OUTCOMES } from "../report/host-report.ts";

/** Version of the journal's lines; a reader refuses any other. */
export const JOURNAL_VERSION = 1;

const command = z.tuple([z.string()], z.string());

/** Content of a file as it was: text where the bytes are UTF-8, else base64; null where there was no file. */
const contentSchema = z
  .union([z.strictObject({ text: z.string() }), z.strictObject({ base64: z.base64() })])
  .nullable();

const attributesSchema = z.strictObject({ mode: z.int(), uid: z.int(), gid: z.int() });

const kernelOriginalSchema = z.strictObject({
  kind: z.literal("kernel-file"),
  path: z.string().startsWith("/"),
  before: contentSchema,
  via: z.string().optional(),
  counterpart: z.strictObject({ path: z.string().startsWith("/"), before: contentSchema }).optional(),
});

const configOriginalSchema = z.strictObject({
  kind: z.literal("config-file"),
  path: z.string().startsWith("/"),
  before: contentSchema,
  attributes: attributesSchema.nullable(),
  madeFolders: z.array(z.string().startsWith("/")),
  reload: z.array(command),
});

const toolOriginalSchema = z.strictObject({
  kind: z.literal("tool"),
  undo: command,
  survivesReboot: z.literal(true).optional(),
});

const entriesOriginalSchema = z.strictObject({
  kind: z.literal("boot-entries"),
  loader: z.enum(["grub-bls", "systemd-boot"]),
  argument: z.string().min(1),
  before: z.array(z.strictObject({ path: z.string().startsWith("/"), words: z.array(z.string()) })),
});

/** What was there before a write, enough to put it back. */
export const originalSchema = z.discriminatedUnion("kind", [
  kernelOriginalSchema,
  configOriginalSchema,
  toolOriginalSchema,
  entriesOriginalSchema,
]);

const common = {
  version: z.literal(JOURNAL_VERSION),
  at: z.iso.datetime(),
  run: z.string().min(1),
  bootId: z.string().nullable(),
};

/** Before the first write of a run: every step it is going to do, and what was there. Durable before any write. */
const stepRecordSchema = z.strictObject({
  ...common,
  record: z.literal("step"),
  planDigest: z.string(),
  profileDigest: z.string().optional(),
  key: z.string().min(1),
  knob: z.string().min(1),
  target: z.string(),
  unit: z.string(),
  survivesReboot: z.boolean(),
  beforeText: z.string(),
  /** Value in force before this step, so that a later profile is judged against it and not against what we set. */
  before: z.unknown().optional(),
  value: z.unknown(),
  valueText: z.string(),
  /** Everything this step writes, known before or not, and what a configuration file holds then. */
  touches: z.array(z.strictObject({ id: z.string().min(1), sha256: z.string().optional() })).optional(),
  /** Those not saved yet; the first to be saved stays. The id is that of the thing written. */
  originals: z.array(z.strictObject({ id: z.string().min(1), original: originalSchema })),
});

/** After the read-back: what became of a step. */
const outcomeRecordSchema = z.strictObject({
  ...common,
  record: z.literal("outcome"),
  key: z.string().min(1),
  outcome: z.enum(OUTCOMES),
  foundText: z.string(),
});

/**
 * Before the first write of steps that can cut the host off: what stood there a moment ago, and until when somebody has
 * to say that the change is good. A group that takes effect with a reboot has no deadline; it waits for that boot.
 */
const pendingRecordSchema = z.strictObject({
  ...common,
  record: z.literal("pending"),
  group: z.string().min(1),
  takesEffect: z.enum(["now", "reboot"]),
  keys: z.array(z.string().min(1)),
  profileDigest: z.string(),
  /** The profile's policy, for a timer that has no profile: may taking back a boot's changes reboot the host. */
  mayReboot: z.boolean(),
  /** No default gateway was there before, with the network up: then its answer proves nothing, and is not asked for. */
  hadNoGateway: z.boolean(),
  deadline: z.iso.datetime().nullable(),
  timer: z.string().min(1).nullable(),
  /** In the order of writing; taking back goes the other way. */
  undo: z.array(z.strictObject({ id: z.string().min(1), key: z.string().min(1), original: originalSchema })),
});

/** A boot that has to prove a group which took effect with it. A later boot that finds this, unconfirmed, takes it back. */
const trialRecordSchema = z.strictObject({
  ...common,
  record: z.literal("trial"),
  group: z.string().min(1),
  deadline: z.iso.datetime(),
  timer: z.string().min(1).nullable(),
});

/**
 * The end of pending groups. What was taken back is not tried again with the same profile and value; a suspicion is
 * tried once more.
 */
const settledRecordSchema = z.strictObject({
  ...common,
  record: z.literal("settled"),
  how: z.enum(["confirmed", "taken-back", "rolled-back"]),
  /** In the order of taking back: the latest first. */
  groups: z.array(z.string().min(1)),
  because: z.string(),
  refused: z.array(
    z.strictObject({
      key: z.string().min(1),
      valueText: z.string(),
      profileDigest: z.string(),
      /** All that is known is that its boot ended; somebody may just have rebooted. */
      isSuspicion: z.literal(true).optional(),
    }),
  ),
});

/** Before the host is asked to reboot: for which changes. The same changes never reboot it twice. */
const rebootRecordSchema = z.strictObject({
  ...common,
  record: z.literal("reboot"),
  changes: z.string(),
  keys: z.array(z.string().min(1)),
});

/** Another profile than the one that set them asks for these as well, so that only a third can forget them. */
const askedRecordSchema = z.strictObject({
  ...common,
  record: z.literal("asked"),
  profileDigest: z.string(),
  keys: z.array(z.string().min(1)),
});

/** After a rollback: these originals are back in place and read back. */
const restoredRecordSchema = z.strictObject({
  ...common,
  record: z.literal("restored"),
  ids: z.array(z.string().min(1)),
});

export const journalRecordSchema = z.discriminatedUnion("record", [
  stepRecordSchema,
  outcomeRecordSchema,
  restoredRecordSchema,
  pendingRecordSchema,
  trialRecordSchema,
  settledRecordSchema,
  rebootRecordSchema,
  askedRecordSchema,
]);

export type JournalRecord = z.output<typeof journalRecordSchema>;
export type StepRecord = z.output<typeof stepRecordSchema>;
export type OutcomeRecord = z.output<typeof outcomeRecordSchema>;
export type PendingRecord = z.output<typeof pendingRecordSchema>;
export type TrialRecord = z.output<typeof trialRecordSchema>;
export type SettledRecord = z.output<typeof settledRecordSchema>;
export type RebootRecord = z.output<typeof rebootRecordSchema>;
export type Original = z.output<typeof originalSchema>;
export type KernelOriginal = z.output<typeof kernelOriginalSchema>;
export type ConfigOriginal = z.output<typeof configOriginalSchema>;
export type EntriesOriginal = z.output<typeof entriesOriginalSchema>;
export type SavedContent = z.output<typeof contentSchema>;

export function saveContent(bytes: Buffer | undefined): SavedContent {
  if (bytes === undefined) return null;
  const text = bytes.toString("utf8");
  return Buffer.from(text, "utf8").equals(bytes) ? { text } : { base64: bytes.toString("base64") };
}

export function savedBytes(content: SavedContent): Buffer | undefined {
  if (content === null) return undefined;
  return "text" in content ? Buffer.from(content.text, "utf8") : Buffer.from(content.base64, "base64");
}

const SUM = /^(.*),"sum":"([0-9a-f]{16})"\}$/s;

function sumOf(json: string): string {
  return createHash("sha256").update(json).digest("hex").slice(0, 16);
}

/** One line of the journal: the record as JSON with a checksum as its last field, so that a flipped bit is seen. */
export function formatRecord(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${json.slice(0, -1)},"sum":"${sumOf(json)}"}\n`;
}

/** A line to its record, or what is wrong with it. */
export function parseRecord(line: string, lineNumber: number): JournalRecord | Fault[] {
  const where = `line ${lineNumber}`;
  const match = SUM.exec(line);
  const json = match?.[1] === undefined ? undefined : `${match[1]}}`;
  const isWhole = json !== undefined && sumOf(json) === match?.[2];
  let data: unknown;
  try {
    data = JSON.parse(isWhole ? json : line);
  } catch {
    return [{ path: where, message: "not JSON" }];
  }
  if (!isWhole && typeof data === "object" && data !== null) Reflect.deleteProperty(data, "sum");
  const result = journalRecordSchema.safeParse(data);
  if (result.success && isWhole) return result.data;
  const faults: Fault[] = isWhole ? [] : [{ path: where, message: "checksum does not fit the line" }];
  for (const issue of result.error?.issues ?? []) {
    const path = formatPath(issue.path);
    faults.push({ path: path === "" ? where : `${where}: ${path}`, message: issue.message });
  }
  return faults;
}
