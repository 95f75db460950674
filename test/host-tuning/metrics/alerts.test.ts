import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import { describeWith, program } from "../../helpers/needs.ts";

const ALERTS = resolve(import.meta.dirname, "../../../docs/alerts.yml");
const SOURCES = ["agent-metrics", "host-counters", "ena-allowances"].map((name) =>
  readFileSync(resolve(import.meta.dirname, `../../../host-tuning/metrics/${name}.ts`), "utf8"),
);

function promtool(...args: readonly string[]): { exitCode: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("promtool", args, { encoding: "utf8", timeout: 60_000 });
  return { exitCode: status, output: stdout + stderr };
}

describeWith([program("promtool", "apt-get install prometheus")], "docs/alerts.yml", () => {
  it("is right in promtool's eyes", () => {
    const { exitCode, output } = promtool("check", "rules", "--lint=all", "--lint-fatal", ALERTS);
    expect(exitCode, output).toBe(0);
  });

  it("asks only for metrics that there are", () => {
    const { groups } = parse(readFileSync(ALERTS, "utf8")) as { groups: { rules: { expr: string }[] }[] };
    const names = groups.flatMap(({ rules }) =>
      rules.flatMap(({ expr }) => expr.match(/bedplate_\w+/g) ?? []),
    );
    expect(names.length).toBeGreaterThan(10);
    const known = SOURCES.join("\n");
    expect(names.filter((name) => !known.includes(`"${name}"`))).toEqual([]);
  });

  it("fires when it should and not otherwise", () => {
    const folder = mkdtempSync(join(tmpdir(), "bedplate-alerts-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const tests = readFileSync(join(import.meta.dirname, "alerts.test.yml"), "utf8");
    const file = join(folder, "tests.yml");
    writeFileSync(file, tests.replace("- ALERTS\n", `- ${JSON.stringify(ALERTS)}\n`));
    const { exitCode, output } = promtool("test", "rules", file);
    expect(exitCode, output).toBe(0);
    // The same with a rule that never fires must not pass.
    const deaf = join(folder, "deaf.yml");
    writeFileSync(
      deaf,
      readFileSync(ALERTS, "utf8").replace("bedplate_drifted_settings > 0", "vector(0) > 1"),
    );
    writeFileSync(file, tests.replace("- ALERTS\n", `- ${JSON.stringify(deaf)}\n`));
    expect(promtool("test", "rules", file).exitCode).not.toBe(0);
  });
});
