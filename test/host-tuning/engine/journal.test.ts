import { appendFileSync, existsSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type JournalRecord,
  type StepRecord,
  formatRecord,
  journalRecordSchema,
  parseRecord,
} from "../../../host-tuning/engine/journal-records.ts";
import { COMPACT_ABOVE_BYTES, compactRecords } from "../../../host-tuning/engine/compact-journal.ts";
import { foldJournal } from "../../../host-tuning/engine/journal-state.ts";
import { JOURNAL_PATH, JournalWriter, readJournal } from "../../../host-tuning/engine/journal.ts";
import { TuningError } from "../../../host-tuning/errors.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { demoRoot } from "./demo-knobs.ts";
import { engineOn } from "./engine.ts";
import { treeHash, treeState } from "./tree-state.ts";

async function appliedRoot(): Promise<Awaited<ReturnType<typeof demoRoot>> & { readonly journal: string }> {
  const host = await demoRoot();
  await engineOn(host.root).apply();
  return Object.assign(host, { journal: join(host.root, JOURNAL_PATH) });
}

describe("readJournal()", () => {
  it("gives back what was appended, and knows each original", async () => {
    await using host = await appliedRoot();
    const { records } = readJournal(openHost(host.root));
    expect(records.map((record) => record.record)).toEqual([
      "step",
      "step",
      "step",
      "outcome",
      "outcome",
      "outcome",
    ]);
    const state = foldJournal(records);
    expect([...state.originals.keys()]).toEqual([
      "kernel-file:/proc/sys/demo/backlog",
      "config-file:/etc/demo.d/deep/10-bedplate.conf",
      "kernel-file:/sys/block/disk0/queue/scheduler",
    ]);
  });

  it("drops a torn last line at any length, and the next record starts on a line of its own", async () => {
    await using host = await appliedRoot();
    const whole = readFileSync(host.journal);
    const lastLine = whole.lastIndexOf(0x0a, whole.length - 2) + 1;
    for (let length = lastLine + 1; length < whole.length; length += 17) {
      writeFileSync(host.journal, whole.subarray(0, length));
      const content = readJournal(openHost(host.root));
      expect(content.records).toHaveLength(5);
      expect(content.wholeBytes).toBe(lastLine);
    }
    await host.write("/proc/sys/demo/backlog", "1\n");
    await engineOn(host.root).apply();
    expect(readJournal(openHost(host.root)).records.length).toBeGreaterThan(5);
  });

  it("drops zero bytes that a power cut left at the end", async () => {
    await using host = await appliedRoot();
    appendFileSync(host.journal, Buffer.alloc(100));
    expect(readJournal(openHost(host.root)).records).toHaveLength(6);
  });

  it("fails with every broken line at once, and no verb changes anything then", async () => {
    await using host = await appliedRoot();
    const lines = readFileSync(host.journal, "utf8").trimEnd().split("\n");
    lines[0] = lines[0]?.replace('"128\\n"', '"129\\n"') ?? "";
    lines[1] = "rubbish";
    lines[2] = "{}";
    lines[3] = lines[3]?.slice(0, 40) ?? "";
    lines[4] = lines[4]?.replace('"changed"', '"fine"') ?? "";
    writeFileSync(host.journal, `${lines.join("\n")}\n`);
    const before = treeHash(host.root);
    const engine = engineOn(host.root);
    for (const verb of ["apply", "verify", "rollback", "status"] as const) {
      const error: unknown = await engine[verb]().catch((cause: unknown) => cause);
      expect(error).toBeInstanceOf(TuningError);
      expect(error).toMatchObject({ code: "JOURNAL_CORRUPT", path: JOURNAL_PATH });
      for (const line of [1, 2, 3, 4, 5]) expect(String(error)).toContain(`line ${line}:`);
    }
    expect(treeHash(host.root)).toBe(before);
  });

  it("sees a single flipped bit anywhere in a line", async () => {
    await using host = await appliedRoot();
    const line = readFileSync(host.journal, "utf8").split("\n")[0] ?? "";
    const bytes = Buffer.from(line);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(7), (index, bit) => {
        const flipped = Buffer.from(bytes);
        flipped[index] = (flipped[index] ?? 0) ^ (1 << bit);
        expect(Array.isArray(parseRecord(flipped.toString("latin1"), 1))).toBe(true);
      }),
    );
  });

  it("never throws anything but JOURNAL_CORRUPT for any text", async () => {
    await using host = await appliedRoot();
    const whole = readFileSync(host.journal, "utf8");
    const mutated = fc
      .tuple(fc.nat(whole.length), fc.nat(40), fc.string({ unit: "binary", maxLength: 30 }))
      .map(([at, drop, add]) => whole.slice(0, at) + add + whole.slice(at + drop));
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string({ unit: "binary" })), (text) => {
        writeFileSync(host.journal, text);
        try {
          foldJournal(readJournal(openHost(host.root)).records);
        } catch (error) {
          expect(error).toMatchObject({ name: "TuningError", code: "JOURNAL_CORRUPT" });
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("formatRecord()", () => {
  it("round-trips any record", () => {
    const record = fc.record({
      version: fc.constant(1 as const),
      at: fc.constant("2026-11-20T16:00:00.000Z"),
      run: fc.string({ minLength: 1 }),
      bootId: fc.option(fc.string()),
      record: fc.constant("restored" as const),
      ids: fc.array(fc.string({ minLength: 1, unit: "grapheme" })),
    });
    fc.assert(
      fc.property(record, (value) => {
        const line = formatRecord(value);
        expect(line.endsWith("\n")).toBe(true);
        expect(line.indexOf("\n")).toBe(line.length - 1);
        expect(parseRecord(line.slice(0, -1), 1)).toEqual(journalRecordSchema.parse(value));
      }),
    );
  });
});

function stepOf(key: string, bootId: string, before: string, path = key): StepRecord {
  return {
    version: 1,
    at: "2026-11-20T16:00:00.000Z",
    run: "r",
    bootId,
    record: "step",
    planDigest: "sha256:x",
    key,
    knob: key,
    target: "",
    unit: "text",
    survivesReboot: false,
    beforeText: before,
    value: "x",
    valueText: "x",
    originals: [
      {
        id: `kernel-file:/sys/${path}`,
        original: { kind: "kernel-file", path: `/sys/${path}`, before: { text: before } },
      },
    ],
  };
}

describe("foldJournal()", () => {
  it("keeps the first original of a boot, whatever is saved later", () => {
    const { originals } = foldJournal([stepOf("a", "boot1", "1"), stepOf("a", "boot1", "2")]);
    expect([...originals.values()].map(({ original }) => original)).toMatchObject([
      { before: { text: "1" } },
    ]);
  });

  it("takes a kernel file's original of the latest boot, and remembers the first value for people", () => {
    const state = foldJournal([stepOf("a", "boot1", "1"), stepOf("a", "boot2", "2")]);
    expect([...state.originals.values()].map(({ original }) => original)).toMatchObject([
      { before: { text: "2" } },
    ]);
    expect(state.steps.get("a")?.first.beforeText).toBe("1");
  });

  it("keeps a step while an original that any of its runs saved is not back", () => {
    const restored = (id: string): JournalRecord => {
      const base = { version: 1 as const, at: "2026-11-20T16:00:00.000Z", run: "r", bootId: "boot1" };
      return { ...base, record: "restored", ids: [`kernel-file:/sys/${id}`] };
    };
    const runs = ["x", "y", "x"].map((path) => stepOf("a", "boot1", "1", path));
    expect(foldJournal([...runs, restored("x")]).steps.has("a")).toBe(true);
    expect(foldJournal([...runs, restored("x"), restored("y")]).steps.has("a")).toBe(false);
  });
});

describe("compactRecords()", () => {
  it("says the same as all the records", () => {
    const key = fc.constantFrom("a", "b", "c");
    const base = { version: 1 as const, at: "2026-11-20T16:00:00.000Z", run: "r", bootId: "" };
    const step = fc
      .tuple(key, fc.constant(""), fc.string(), key)
      .map((args): JournalRecord => stepOf(...args));
    const outcome = key.map((name): JournalRecord => {
      return { ...base, record: "outcome", key: name, outcome: "changed", foundText: "x" };
    });
    const restored = fc.array(key).map((names): JournalRecord => {
      return { ...base, record: "restored", ids: names.map((name) => `kernel-file:/sys/${name}`) };
    });
    const record = fc.oneof(step, outcome, restored);
    const meaning = (records: readonly JournalRecord[]): unknown => {
      const { originals, steps } = foldJournal(records);
      const ordered = [...originals.values()].toSorted((a, b) => a.sequence - b.sequence);
      return {
        originals: ordered.map(({ id, original, key: by, bootId }) => ({ id, original, by, bootId })),
        steps: [...steps].map(([name, { first, latest, outcome }]) => ({
          name,
          first: first.beforeText,
          latest: [latest.beforeText, latest.bootId],
          outcome,
        })),
      };
    };
    // The id of a boot never comes back.
    const boots = fc.tuple(fc.nat(25), fc.nat(25)).map((ends) => ends.toSorted((a, b) => a - b));
    fc.assert(
      fc.property(fc.array(record, { maxLength: 25 }), boots, (drawn, ends) => {
        const records = drawn.map((one, index) => ({
          ...one,
          bootId: `boot${ends.filter((end) => end <= index).length}`,
        }));
        const compacted = compactRecords(records);
        expect(meaning(compacted)).toEqual(meaning(records));
        expect(compactRecords(compacted)).toEqual(compacted);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps a journal of many boots small, and its originals", async () => {
    await using host = await demoRoot();
    const start = await host.read("/proc/sys/demo/backlog");
    const engine = engineOn(host.root);
    await engine.apply();
    const journal = join(host.root, JOURNAL_PATH);
    const outcome = readFileSync(journal, "utf8").trimEnd().split("\n").at(-1) ?? "";
    appendFileSync(journal, `${outcome}\n`.repeat(Math.ceil(COMPACT_ABOVE_BYTES / outcome.length)));
    await engine.apply();
    expect(statSync(journal).size).toBeLessThan(10_000);
    await engine.rollback();
    expect(await host.read("/proc/sys/demo/backlog")).toBe(start);
  });
});

describe("JournalWriter", () => {
  it("leaves no trace when nothing is appended", async () => {
    await using host = await demoRoot();
    const live = openHost(host.root);
    using writer = new JournalWriter(live, readJournal(live));
    writer.append([]);
    writer.sync();
    expect(existsSync(join(host.root, JOURNAL_PATH))).toBe(false);
  });
});

describe("a run that was killed", () => {
  it("leaves nothing beside the files it was at: the next run removes what was staged", async () => {
    await using host = await appliedRoot();
    const state = treeState(host.root);
    for (const verb of ["apply", "rollback"] as const) {
      await host.write("/proc/sys/demo/.backlog.bedplate-new", "40");
      await host.write("/etc/demo.d/deep/.10-bedplate.conf.bedplate-new", "lim");
      await engineOn(host.root)[verb]();
      if (verb === "apply") expect(treeState(host.root)).toEqual(state);
      else
        expect(Object.keys(treeState(host.root)).filter((path) => path.includes("bedplate-new"))).toEqual([]);
    }
    expect(existsSync(join(host.root, "/etc/demo.d"))).toBe(false);
  });

  it("after it saved originals has changed nothing that a rollback would miss", async () => {
    await using host = await appliedRoot();
    const lines = readFileSync(host.journal, "utf8").split("\n");
    truncateSync(host.journal, lines.slice(0, 3).join("\n").length + 1);
    await host.write("/proc/sys/demo/backlog", "128\n");
    const engine = engineOn(host.root);
    const standing = async (): Promise<(string | undefined)[]> =>
      (await engine.status()).entries.map((entry) => entry.standing);
    expect(await standing()).toEqual(["not-in-force", "in-force", "in-force"]);
    await engine.apply();
    expect(await standing()).toEqual(["in-force", "in-force", "in-force"]);
    await host.write("/sys/block/disk0/queue/scheduler", "mq-deadline\n");
    expect(await standing()).toEqual(["in-force", "in-force", "drifted"]);
  });
});
