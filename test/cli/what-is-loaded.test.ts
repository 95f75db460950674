import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { describe, expect, it } from "vitest";

const ROOT = path.resolve(import.meta.dirname, "../..");

/** Says on stderr which packages a program loads, each once. */
const TELL = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from "node:module";
  const loaded = new Set();
  registerHooks({
    load(url, context, next) {
      const name = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)\\//.exec(url)?.[1];
      if (name !== undefined) loaded.add(name);
      return next(url, context);
    },
  });
  process.on("exit", () => process.stderr.write("\\nloaded " + JSON.stringify([...loaded]) + "\\n"));
`)}`;

async function packagesOf(...args: readonly string[]): Promise<readonly string[]> {
  const { stderr } = await execa("node", ["--import", TELL, "cli/bedplate.ts", ...args], {
    cwd: ROOT,
    preferLocal: true,
    timeout: 60_000,
  });
  const [, names = ""] = /^loaded (.*)$/m.exec(stderr) ?? [];
  return JSON.parse(names);
}

/** Each is a tenth of a second and tens of megabytes that most verbs have no use for. */
const HEAVY = [/^@pulumi\//, /^typescript$/, /^@aws-sdk\//, /^@duckdb\//];

function heavyOf(packages: readonly string[]): readonly string[] {
  expect(packages).toContain("commander");
  return packages.filter((name) => HEAVY.some((heavy) => heavy.test(name)));
}

describe("bedplate loads what a verb needs and no more", () => {
  it.each([[["--help"]], [["cost", "report", "--help"]], [["knobs"]]])("%j", async (args) => {
    expect(heavyOf(await packagesOf(...args))).toEqual([]);
  });

  it("hosts, which chooses as the components do, has Pulumi", async () => {
    expect(heavyOf(await packagesOf("hosts", "--env", "prod", "--json"))).toContain("@pulumi/pulumi");
  });

  it("cost report has DuckDB alone", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "bedplate-loaded-"));
    try {
      const bill = path.join(folder, "bill");
      const month = ["--rows", "300", "--month", "2026-02", "--seed", "1", "--out", bill];
      await packagesOf("cost", "generate", ...month);
      expect(heavyOf(await packagesOf("cost", "report", "--input", bill))).toEqual([
        "@duckdb/node-api",
        "@duckdb/node-bindings",
      ]);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
