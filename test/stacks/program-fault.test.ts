import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, test, vi } from "vitest";
import { errorsOf, previewEnvironment } from "../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS } from "../helpers/program-host.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const ENTRY = path.resolve(import.meta.dirname, "../../stacks/index.ts");

/** A source map that has every position in a file that is not there. */
const MAP = Buffer.from(
  JSON.stringify({
    version: 3,
    sources: ["mapped-away.ts"],
    names: [],
    mappings: "AAAA;AACA;AACA;AACA;AACA",
  }),
).toString("base64");

test("a fault in a program is told with its file and line as they lie on disk, and no source map is read for it", async () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-program-fault-"));
  try {
    writeFileSync(path.join(folder, "package.json"), JSON.stringify({ type: "module" }));
    const program = path.join(folder, "program.ts");
    writeFileSync(
      program,
      [
        `export { default } from ${JSON.stringify(ENTRY)};`,
        "interface Pool { readonly hosts: readonly string[] }",
        "const pool = {} as Pool;",
        "const firstHost = (of: Pool): string => of.hosts[0] ?? '';",
        "firstHost(pool);",
        // Pulumi's host has installed what reads such a comment; stacks/index.ts takes it out.
        `//# sourceMappingURL=data:application/json;base64,${MAP}`,
        "",
      ].join("\n"),
    );
    const run = await previewEnvironment("local", { program });
    expect(run.exitCode).not.toBe(0);
    const told = errorsOf(run);
    expect(told).toContain("Cannot read properties of undefined (reading '0')");
    expect(told).toMatch(/at firstHost \(file:\/\/\S*\/program\.ts:4:\d+\)/);
    expect(told).toMatch(/at file:\/\/\S*\/program\.ts:5:\d+/);
    expect(told).not.toContain("mapped-away.ts");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
