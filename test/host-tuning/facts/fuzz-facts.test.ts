import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { quote } from "../../../host-tuning/facts/fact-reader.ts";
import { hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { stableFacts } from "../../../host-tuning/facts/stable-facts.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostRoot, createHostRoot } from "../../helpers/host-root.ts";
import { busyHost } from "./busy-host.ts";

/** What may stand where a kernel file stood. */
type Damage =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "bytes"; readonly bytes: Uint8Array }
  | { readonly kind: "missing" | "folder" | "loop" | "dangling" };

const HOSTILE_TEXTS = [
  "",
  "\n",
  " \t \n",
  "-1\n",
  "-0\n",
  "99999999999999999999999999\n",
  "1e309\n",
  "NaN\n",
  "0x\n",
  "0-65535\n",
  "3-1\n",
  "0-\n",
  Array.from({ length: 20_000 }, () => "0-65535").join(","),
  "ffffffff,".repeat(5000),
  "[",
  "[none] [mq-deadline]\n",
  "a=b\n".repeat(2000),
  "*.*.*.*.*=1\nnet.*a*a*a*a*a*a*a*=1\n-\n=\n",
  `${" ".repeat(100_000)}x`,
  "{".repeat(10_000),
  "&a [*a, *a]\n",
  "processor : 99999999\nprocessor : -1\nphysical id : x\n",
];

const damage: fc.Arbitrary<Damage> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...HOSTILE_TEXTS).map((text): Damage => ({ kind: "text", text })) },
  { weight: 2, arbitrary: fc.string({ maxLength: 200 }).map((text): Damage => ({ kind: "text", text })) },
  { weight: 2, arbitrary: fc.integer().map((value): Damage => ({ kind: "text", text: `${value}\n` })) },
  {
    weight: 2,
    arbitrary: fc.uint8Array({ maxLength: 300 }).map((bytes): Damage => ({ kind: "bytes", bytes })),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom("missing" as const, "folder" as const, "loop" as const, "dangling" as const)
      .map((kind): Damage => ({ kind })),
  },
);

function place(at: string, what: Damage): void {
  rmSync(at, { recursive: true, force: true });
  switch (what.kind) {
    case "text":
      writeFileSync(at, what.text);
      break;
    case "bytes":
      writeFileSync(at, what.bytes);
      break;
    case "missing":
      break;
    case "folder":
      mkdirSync(path.join(at, "inner"), { recursive: true });
      break;
    case "loop":
      symlinkSync(path.basename(at), at);
      break;
    case "dangling":
      symlinkSync("/nowhere/at/all", at);
      break;
  }
}

describe("readFacts() on damaged trees", () => {
  const tree = busyHost();
  const files = Object.keys(tree);
  let host: HostRoot;
  beforeAll(async () => {
    host = await createHostRoot(tree);
  });
  afterAll(() => host[Symbol.asyncDispose]());

  test("never fails, and what it gives satisfies the contract", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ file: fc.nat(), damage }), { minLength: 1, maxLength: 12 }),
        async (injuries) => {
          const hurt = injuries.map((injury) => ({
            name: files[injury.file % files.length] ?? "",
            damage: injury.damage,
          }));
          try {
            for (const { name, damage } of hurt) place(path.join(host.root, name), damage);
            const facts = await readFacts(openHost(host.root));
            expect(hostFactsSchema.parse(facts)).toEqual(facts);
            expect(JSON.parse(JSON.stringify(facts))).toEqual(facts);
            expect(stableFacts(facts)).toBeDefined();
          } finally {
            for (const { name } of hurt) {
              rmSync(path.join(host.root, name), { recursive: true, force: true });
              const entry = tree[name];
              if (entry !== undefined) await host.write(name, entry);
            }
          }
        },
      ),
      // On a busy machine fewer runs are enough; each was a full check.
      { numRuns: 150, interruptAfterTimeLimit: 60_000 },
    );
  }, 120_000);

  test.each(HOSTILE_TEXTS.map((text) => [quote(text), text]))(
    "never fails with %s in every file",
    async (_, text) => {
      for (const name of files) {
        if (typeof tree[name] === "string") writeFileSync(path.join(host.root, name), text);
      }
      const facts = await readFacts(openHost(host.root));
      expect(hostFactsSchema.parse(facts)).toEqual(facts);
    },
  );
});
