import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { compactRecords } from "../../../host-tuning/engine/compact-journal.ts";
import { foldJournal } from "../../../host-tuning/engine/journal-state.ts";
import { JOURNAL_PATH, readJournal } from "../../../host-tuning/engine/journal.ts";
import { planHost } from "../../../host-tuning/engine/plan-host.ts";
import { parsePlan } from "../../../host-tuning/engine/plan-file.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { InputError, TuningError } from "../../../host-tuning/errors.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { loadProfile } from "../../../host-tuning/profile/load-profile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostRoot, createHostRoot } from "../../helpers/host-root.ts";
import { RICH_PROFILE, createRichHost, richTree } from "../../helpers/rich-host.ts";
import { applyAll, forgetBooks } from "./crash-host.ts";
import { withMutations } from "./mutations.ts";

/** 10,000 in all at each change; BEDPLATE_LONG=1 takes ten times as many. */
const TIMES = process.env["BEDPLATE_LONG"] === "1" ? 10 : 1;
const TIMEOUT_MILLIS = 120_000 * TIMES;

/** Seeded, so that a failure is one that comes back. BEDPLATE_FUZZ_SEED tries others. */
const SEED = Number(process.env["BEDPLATE_FUZZ_SEED"] ?? 20_261_120);

/** What hostile or broken input is made of. */
const NASTY: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom<unknown>(
    "../../../../etc/passwd",
    "/etc/shadow",
    "..",
    ".",
    "",
    "\0",
    "a\nb",
    "$(reboot)",
    "`reboot`",
    "-rf",
    "%s%n",
    "eno1/../../../etc",
    "__proto__",
    "constructor",
    "toString",
    null,
    undefined,
    true,
    -1,
    0,
    1e308,
    -0,
    Number.MAX_SAFE_INTEGER,
    0.1,
    [],
    {},
    [[]],
    { __proto__: null },
  ),
  fc.string({ unit: "binary", maxLength: 40 }),
  fc.double(),
  fc.jsonValue({ maxDepth: 2 }),
);

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

/** Every place of a value, as a path of keys. */
function placesOf(value: unknown, path: readonly string[] = []): string[][] {
  const inner =
    typeof value === "object" && value !== null
      ? Object.entries(value).flatMap(([key, child]) => placesOf(child, [...path, key]))
      : [];
  return [[...path], ...inner];
}

function replaceAt(value: unknown, [key, ...rest]: readonly string[], made: unknown): unknown {
  if (key === undefined) return made;
  if (Array.isArray(value)) {
    return value.map((child: unknown, index) =>
      String(index) === key ? replaceAt(child, rest, made) : child,
    );
  }
  if (typeof value !== "object" || value === null) return made;
  return Object.fromEntries(
    Object.entries(value).map(([name, child]) => [name, name === key ? replaceAt(child, rest, made) : child]),
  );
}

/** A valid document with one to three of its places replaced, and now and then a key that nobody knows. */
function mutated(valid: unknown): fc.Arbitrary<unknown> {
  const places = placesOf(valid);
  return fc
    .array(fc.tuple(fc.constantFrom(...places), NASTY), { minLength: 1, maxLength: 3 })
    .map((changes) => changes.reduce((value, [path, made]) => replaceAt(value, path, made), valid));
}

/** Bytes of a text with some cut, doubled, swapped or made up. */
function mangled(text: string): fc.Arbitrary<string> {
  const at = fc.integer({ min: 0, max: text.length });
  return fc.oneof(
    at.map((end) => text.slice(0, end)),
    fc.tuple(at, at).map(([a, b]) => text.slice(0, Math.min(a, b)) + text.slice(Math.max(a, b))),
    fc
      .tuple(at, fc.string({ unit: "binary", maxLength: 12 }))
      .map(([index, made]) => text.slice(0, index) + made + text.slice(index + made.length)),
    fc
      .tuple(at, at)
      .map(([a, b]) => text.slice(0, a) + text.slice(Math.min(a, b), Math.max(a, b)) + text.slice(a)),
  );
}

/** Runs what may refuse its input, and lets through nothing but a refusal. */
async function refusesOrGives<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof InputError || error instanceof TuningError) return undefined;
    throw error;
  }
}

/** Without hugepages, which a tree that no kernel fills makes the agent try for again and again. */
const TREE_PROFILE = { ...RICH_PROFILE, hugepages: { ...RICH_PROFILE.hugepages, perNode: 0 } };

/** Where a run may write, below its root: kernel files, drop-ins, boot arguments, the agent's own books. */
const ALLOWED =
  /^\/(proc\/(sys|irq)\/|sys\/|etc\/|boot\/|run\/(bedplate|systemd|udev)(\/|$)|var\/lib\/bedplate(\/|$))/;

function check(runs: number): fc.Parameters<unknown> {
  return { numRuns: runs * TIMES, seed: SEED, endOnFailure: true };
}

describe("fuzzed input", () => {
  let host: HostRoot;
  let facts: HostFacts;
  let planJson: string;
  let journal: string;
  let folder: string;

  beforeAll(async () => {
    host = await createRichHost();
    folder = mkdtempSync(join(tmpdir(), "bedplate-fuzz-"));
    facts = await readFacts(openHost(host.root));
    const input = {
      host: openHost(host.root),
      facts,
      profile: RICH_PROFILE,
      knobs: KNOBS,
      phase: "all" as const,
    };
    const plan = await planHost(input);
    // A plan of a few steps has every kind of place that one of a hundred has, and is read ten times as fast.
    planJson = JSON.stringify({ ...plan, steps: plan.steps.filter((_, index) => index % 9 === 0) });
    await applyAll(host.root);
    const lines = readFileSync(join(host.root, JOURNAL_PATH), "utf8").split("\n");
    journal = lines.filter((_, index) => index % 8 === 0 || index === lines.length - 1).join("\n");
    await rollbackHost({ host: openHost(host.root), knobs: KNOBS, hostname: null, kernelRelease: null });
    forgetBooks(host.root);
  });

  afterAll(async () => {
    rmSync(folder, { recursive: true, force: true });
    await host[Symbol.asyncDispose]();
  });

  it("profiles, 3500: refused with every fault, or planned", { timeout: TIMEOUT_MILLIS }, async () => {
    const valid = JSON.parse(JSON.stringify({ ...RICH_PROFILE, overrides: OVERRIDES })) as Json;
    const file = join(folder, "profile.json");
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(mutated(valid), fc.boolean(), async (profile, isPlanned) => {
        writeFileSync(file, JSON.stringify(profile) ?? "");
        const loaded = await refusesOrGives(async () => await loadProfile(openHost(host.root), KNOBS, file));
        if (loaded === undefined) return;
        accepted++;
        // Planning takes longer than reading: a part of what is accepted is enough.
        if (isPlanned && accepted % 8 === 0) await planOf(loaded.profile);
      }),
      check(3500),
    );
    expect(accepted).toBeGreaterThan(10);
  });

  async function planOf(profile: typeof RICH_PROFILE): Promise<void> {
    const plan = await refusesOrGives(async () =>
      planHost({ host: openHost(host.root), facts, profile, knobs: KNOBS, phase: "all" }),
    );
    for (const step of plan?.steps ?? []) {
      for (const write of step.writes) if ("path" in write) expect(write.path).toMatch(ALLOWED);
    }
  }

  it("profiles as text, 2400: refused, or read", { timeout: TIMEOUT_MILLIS }, async () => {
    const text = JSON.stringify({ ...RICH_PROFILE, overrides: OVERRIDES }, null, 1);
    const file = join(folder, "text.yaml");
    await fc.assert(
      fc.asyncProperty(mangled(text), async (mangledText) => {
        writeFileSync(file, mangledText);
        await refusesOrGives(async () => await loadProfile(openHost(host.root), KNOBS, file));
      }),
      check(2400),
    );
  });

  it("plans, 2040: refused, or read as they are", { timeout: TIMEOUT_MILLIS }, async () => {
    const valid = JSON.parse(planJson) as Json;
    const plans = fc.oneof(
      mutated(valid).map((plan) => JSON.stringify(plan) ?? ""),
      mangled(planJson),
    );
    await fc.assert(
      fc.asyncProperty(plans, async (text) => {
        await refusesOrGives(async () => await Promise.resolve(parsePlan(text, "plan.json", KNOBS)));
      }),
      check(2040),
    );
  });

  it(
    "journals, 2000: refused, or folded; with a broken one neither apply nor rollback writes",
    { timeout: TIMEOUT_MILLIS },
    async () => {
      await using tree = await createHostRoot({ [JOURNAL_PATH]: journal, "/run/keep": "" });
      let broken = 0;
      await fc.assert(
        fc.asyncProperty(mangled(journal), async (text) => {
          writeFileSync(join(tree.root, JOURNAL_PATH), text);
          const content = await refusesOrGives(async () => Promise.resolve(readJournal(openHost(tree.root))));
          if (content !== undefined) {
            const state = foldJournal(content.records);
            expect(foldJournal(compactRecords(content.records)).originals.size).toBe(state.originals.size);
            return;
          }
          if (++broken % 20 !== 0) return;
          const mutations = await withMutations(
            async () =>
              await refusesOrGives(async () =>
                rollbackHost({
                  host: openHost(tree.root),
                  knobs: KNOBS,
                  hostname: null,
                  kernelRelease: null,
                }),
              ),
          );
          expect(mutations.filter(({ path }) => !path.includes("/run/bedplate"))).toEqual([]);
        }),
        check(2000),
      );
      expect(broken).toBeGreaterThan(100);
    },
  );

  it(
    "trees, 60: whatever files hold and wherever links lead, no run writes outside its root or its folders",
    { timeout: TIMEOUT_MILLIS * 3 },
    async () => {
      const outside = join(folder, "outside");
      writeFileSync(outside, "untouched\n");
      const whole = richTree();
      const paths = Object.keys(whole).filter((path) => typeof whole[path] === "string");
      const content = fc.oneof(
        fc.constantFrom(
          "",
          "\n",
          "\0",
          "-1\n",
          "0\n",
          "99999999999999999999999\n",
          "../../etc/passwd\n",
          "max\n",
        ),
        fc.constantFrom(
          "[a] [b]\n",
          "0-999999999\n",
          "0,0,0\n",
          "ffffffff,ffffffff\n",
          "always\n",
          "1 2 3 4 5\n",
        ),
        fc.string({ unit: "binary", maxLength: 60 }),
      );
      const links = fc.constantFrom(
        outside,
        "../../../../../../../../../../etc/passwd",
        "/etc/shadow",
        "/var/lib/bedplate/journal.jsonl",
        ".",
        "/proc/self/mem",
        "/etc",
      );
      const change = fc.record({
        path: fc.oneof(
          { weight: 6, arbitrary: fc.constantFrom(...paths) },
          fc.constantFrom(...HOSTILE_PATHS),
        ),
        content: fc.option(content),
        link: links,
        kind: fc.constantFrom("content", "content", "content", "link", "gone"),
      });
      await fc.assert(
        fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 12 }), async (changes) => {
          await using tree = await createRichHost();
          for (const { path, content: made, link, kind } of changes) {
            await tree.remove(path);
            if (kind === "link") await plant(tree, path, link);
            else if (kind === "content") await tree.write(path, made ?? "").catch(ignoreMissingFolder);
          }
          const mutations = await withMutations(async () => {
            await refusesOrGives(async () => {
              const live = openHost(tree.root);
              const found = await readFacts(live);
              await applyPlan({
                host: live,
                facts: found,
                profile: TREE_PROFILE,
                knobs: KNOBS,
                phase: "all",
              });
            });
            await refusesOrGives(async () =>
              rollbackHost({ host: openHost(tree.root), knobs: KNOBS, hostname: null, kernelRelease: null }),
            );
          });
          for (const { call, path } of mutations) {
            expect(path.startsWith(`${tree.root}/`), `${call} ${path}`).toBe(true);
            expect(path.slice(tree.root.length), call).toMatch(ALLOWED);
          }
          expect(readFileSync(outside, "utf8")).toBe("untouched\n");
        }),
        check(60),
      );
    },
  );
});

/** Names of devices that try to leave their folder or to be taken for an option. */
const HOSTILE_PATHS = [
  "/sys/class/net/..%2f..%2fetc/mtu",
  "/sys/class/net/-h/mtu",
  "/sys/class/net/$(reboot)/mtu",
  "/sys/class/net/a b/mtu",
  "/sys/block/..nvme/queue/scheduler",
  "/sys/block/--help/queue/scheduler",
  "/proc/irq/../1/smp_affinity_list",
  "/proc/irq/1e9/smp_affinity_list",
  "/sys/devices/system/node/node-1/meminfo",
  "/sys/devices/system/cpu/cpu99999999/topology/core_id",
] as const;

const OVERRIDES = {
  "net.core.somaxconn": { value: 5000, because: "measured" },
  "vm.swappiness": { leave: true, because: "the owner's" },
} as const;

async function plant(tree: HostRoot, path: string, target: string): Promise<void> {
  try {
    symlinkSync(target, join(tree.root, path));
  } catch (error) {
    ignoreMissingFolder(error);
  }
  await Promise.resolve();
}

/** An earlier change of the same tree took the folder away, or made a link of it that leads nowhere. */
function ignoreMissingFolder(error: unknown): void {
  const code = (error as NodeJS.ErrnoException).code ?? "";
  if (!["ENOENT", "ENOTDIR", "EEXIST", "ELOOP", "EISDIR", "EACCES", "EIO", "EPERM"].includes(code))
    throw error;
}
