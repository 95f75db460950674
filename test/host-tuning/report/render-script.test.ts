import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { HostPlan, PlanStep } from "../../../host-tuning/engine/host-plan.ts";
import type { ScriptStep, ScriptWrite } from "../../../host-tuning/engine/script-steps.ts";
import { quote, renderScript } from "../../../host-tuning/report/render-script.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { type Part, ROOT_USER, describeWith, program } from "../../helpers/needs.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { DEMO_KNOBS, demoRoot, numberKnob } from "../engine/demo-knobs.ts";
import { engineOn } from "../engine/engine.ts";
import { treeState } from "../engine/tree-state.ts";
import { agent } from "../verbs/agent-process.ts";
import { decideHost } from "../../../host-tuning/engine/plan-host.ts";
import { scriptStepsOf } from "../../../host-tuning/engine/script-steps.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import type { AnyKnob } from "../../../host-tuning/knobs/knob.ts";

let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "bedplate-script-"));
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Run {
  readonly exitCode: number | null;
  readonly stderr: string;
}

/** Runs a script on a tree; nothing of this machine is its business. */
function run(script: string, root: string): Run {
  const file = join(folder, "script.sh");
  writeFileSync(file, script);
  const result = spawnSync("sh", [file], {
    encoding: "utf8",
    timeout: 60_000,
    cwd: folder,
    env: { ROOT: root },
  });
  return { exitCode: result.status, stderr: result.stderr };
}

/** The script for demo knobs on a root. */
async function scriptFor(root: string, knobs: readonly AnyKnob[]): Promise<string> {
  const host = openHost(root);
  const input = { host, facts: sampleFacts(), profile: sampleProfile(), knobs, phase: "all" } as const;
  const { plan, decisions } = await decideHost(input);
  return renderScript(plan, scriptStepsOf(host, decisions));
}

const STEP: PlanStep = {
  key: "demo",
  knob: "demo",
  target: "",
  family: "net",
  unit: "text",
  scope: "host",
  namespace: null,
  phase: "early",
  action: "set",
  before: "",
  after: "",
  beforeText: "",
  afterText: "",
  because: "",
  isOverride: false,
  sources: [],
  risk: "",
  takesEffect: "now",
  survivesReboot: false,
  isReversible: true,
  alsoSetBy: [],
  writes: [],
};

let demoPlan: HostPlan;

beforeAll(async () => {
  await using host = await demoRoot();
  demoPlan = await engineOn(host.root).plan();
});

function scriptOf(writes: ScriptStep["writes"], changes: Partial<PlanStep> = {}): string {
  return renderScript(demoPlan, {
    steps: [{ step: { ...STEP, ...changes }, writes, isAgain: false }],
    waiting: [],
  });
}

describe("renderScript()", () => {
  it("brings a tree to where apply brings it, byte for byte", async () => {
    await using host = await createHostRoot({ ...stockHost(), "/var/lib/keep": "", "/run/keep": "" });
    const copy = join(folder, "copy");
    cpSync(host.root, copy, { recursive: true, verbatimSymlinks: true });
    const printed = await agent(["plan", "--script", "--root", host.root]);
    expect(printed).toMatchObject({ exitCode: 0, stderr: "" });
    const plan = join(folder, "plan.json");
    await agent(["plan", "--json", "--root", host.root, "--out", plan]);
    const before = treeState(host.root);
    expect((await agent(["apply", "--root", host.root, "--plan", plan])).exitCode).toBe(0);
    expect(run(printed.stdout, copy)).toEqual({ exitCode: 0, stderr: "" });
    expect(treeState(copy)).toEqual(treeState(host.root));
    expect(treeState(copy)).not.toEqual(before);
    expect(run(printed.stdout, copy)).toEqual({ exitCode: 0, stderr: "" });
  });

  it("says what, why, from where and with what risk, and how it was before", async () => {
    await using host = await demoRoot();
    const script = await scriptFor(host.root, DEMO_KNOBS);
    expect(script).toContain(
      "# demo.backlog: 128 -> 4096 (connections)\n#   because: 4096 is demonstrated\n",
    );
    expect(script).toContain("#   risk: low: none, it is made up; takes effect: now\n");
    expect(script).toContain("#   source: https://example.org/demo\n");
    expect(script).toContain("\nkernel_file demo.backlog /proc/sys/demo/backlog 4096 || failed=1\n");
    expect(script).toContain("\nlimit=65536\nEND\n");
    expect(script).toContain("\nreload systemctl daemon-reload || failed=1\n");
  });

  it("ends with 1 and names what did not come into force, and does the rest", async () => {
    await using host = await demoRoot();
    const script = await scriptFor(host.root, [numberKnob("backlog", 4096), numberKnob("raised", 900)]);
    await host.remove("/proc/sys/demo/backlog");
    const result = run(script, host.root);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain(`not in force: demo.backlog: no ${host.root}/proc/sys/demo/backlog\n`);
    expect(await host.read("/proc/sys/demo/raised")).toBe("900\n");
  });

  it("puts back what its own writes reset", async () => {
    await using host = await demoRoot();
    const later = { ...numberKnob("raised", 500), after: ["demo.backlog"] };
    const script = await scriptFor(host.root, [numberKnob("backlog", 4096), later]);
    expect(script).toContain(
      "# demo.raised: 500 -> 500 (connections) again, if a write above has reset it\n",
    );
    // What the kernel would do when it is written.
    await host.write("/proc/sys/demo/raised", "1\n");
    expect(run(script, host.root).exitCode).toBe(0);
    expect(await host.read("/proc/sys/demo/raised")).toBe("500\n");
  });

  it("names and does not do what would act on targets that a write replaces", async () => {
    await using host = await demoRoot();
    const later = {
      ...numberKnob("raised", 900),
      after: ["demo.backlog"],
      rediscoverAfter: ["demo.backlog"],
    };
    const script = await scriptFor(host.root, [numberKnob("backlog", 4096), later]);
    expect(script).toMatch(/^# NOT HERE demo\.raised: demo\.backlog changes what it acts on/m);
    expect(run(script, host.root).exitCode).toBe(0);
    expect(await host.read("/proc/sys/demo/raised")).toBe("500\n");
  });

  it("keeps rights of a file that is there, makes a new one readable, takes one away", async () => {
    await using host = await createHostRoot({ "/etc/a.conf": "old\n", "/etc/gone.conf": "x" });
    execFileSync("chmod", ["640", `${host.root}/etc/a.conf`]);
    const writes = [
      { kind: "config-file", path: "/etc/a.conf", text: "new" },
      { kind: "config-file", path: "/etc/deep/b.conf", text: "END\nEND_\n$HOME `id` \\\n" },
      { kind: "config-file", path: "/etc/gone.conf", text: null },
    ] as const;
    expect(run(scriptOf(writes), host.root)).toEqual({ exitCode: 0, stderr: "" });
    expect(treeState(host.root)).toEqual({
      "/etc": "folder",
      "/etc/a.conf": "640 new",
      "/etc/deep": "folder",
      "/etc/deep/b.conf": "644 END\nEND_\n$HOME `id` \\\n",
    });
  });

  it("never follows another root's links out of it", async () => {
    const outside = join(folder, "outside");
    await using host = await createHostRoot({
      "/etc/keep": "",
      "/etc/a.conf": { link: `${outside}/a.conf` },
      "/etc/d": { link: outside },
      "/proc/sys": { link: outside },
    });
    execFileSync("mkdir", ["-p", outside]);
    writeFileSync(join(outside, "x"), "1\n");
    for (const write of [
      { kind: "config-file", path: "/etc/a.conf", text: "x\n" },
      { kind: "config-file", path: "/etc/d/b.conf", text: "x\n" },
      { kind: "config-file", path: "/etc/d/x", text: null },
      { kind: "kernel-file", path: "/proc/sys/x", text: "2\n" },
    ] as const) {
      expect(run(scriptOf([write]), host.root).exitCode).toBe(1);
    }
    expect(treeState(outside)).toEqual({ "/x": "644 1\n" });
  });

  it("never runs a tool for another root", async () => {
    await using host = await createHostRoot({ "/keep": "" });
    const write: ScriptWrite = { kind: "tool", command: ["touch", join(folder, "ran")], undo: ["true"] };
    expect(run(scriptOf([write]), host.root).exitCode).toBe(1);
    expect(Object.keys(treeState(folder))).not.toContain("/ran");
    expect(run(scriptOf([write]), "")).toEqual({ exitCode: 0, stderr: "" });
    expect(Object.keys(treeState(folder))).toContain("/ran");
  });

  it("nothing in a value, path, key or reason is ever run", async () => {
    const hostile = fc.oneof(
      fc.string({ unit: "binary", maxLength: 40 }),
      fc.constantFrom(
        "'; touch pwned #",
        "$(touch pwned)",
        "`touch pwned`",
        "\ntouch pwned\n",
        "x' || touch pwned || '",
        "\u2028touch pwned",
        "\r\ntouch pwned",
        "END\ntouch pwned\n",
        "${IFS}; touch pwned",
        "-n",
        "%s%n\\n",
        "\\",
      ),
    );
    const name = hostile.map((text) => text.toWellFormed().replaceAll(/[/\0]/g, "_").slice(0, 60) || "x");
    const text = hostile.map((raw) => raw.toWellFormed().replaceAll("\0", ""));
    await fc.assert(
      fc.asyncProperty(name, name, text, text, async (kernelName, configName, value, reason) => {
        const [kernelPath, configPath] = [`/proc/sys/k${kernelName}`, `/etc/c${configName}`];
        const tree: HostTree = { "/etc/keep": "", [kernelPath]: "before\n" };
        await using host = await createHostRoot(tree);
        const script = scriptOf(
          [
            { kind: "kernel-file", path: kernelPath, text: value },
            { kind: "config-file", path: configPath, text: value, reload: [["true", value]] },
            { kind: "tool", command: ["true", value], undo: ["true", reason] },
          ],
          {
            key: reason,
            because: reason,
            beforeText: value,
            afterText: value,
            alsoSetBy: [reason],
            risk: reason,
          },
        );
        run(script, host.root);
        expect(readFileSync(join(host.root, configPath), "utf8")).toBe(value);
        expect(readFileSync(join(host.root, kernelPath), "utf8")).toBe(value);
        expect(Object.keys(treeState(host.root)).toSorted()).toEqual(
          ["/etc", "/etc/keep", configPath, kernelPath, "/proc", "/proc/sys"].toSorted(),
        );
        expect(Object.keys(treeState(folder))).not.toContain("/pwned");
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it("fails for a NUL, which no shell can hold", () => {
    expect(() => scriptOf([{ kind: "config-file", path: "/etc/x", text: "a\0b\n" }])).toThrow("holds a NUL");
    expect(() => quote("\0")).toThrow("holds a NUL");
  });
});

describeWith([program("shellcheck", "apt-get install shellcheck")], "shellcheck", () => {
  it("finds nothing in a whole plan's script", async () => {
    await using host = await createHostRoot(stockHost());
    const { stdout } = await agent(["plan", "--script", "--root", host.root]);
    const file = join(folder, "whole.sh");
    writeFileSync(file, stdout);
    expect(spawnSync("shellcheck", ["--shell=sh", file], { encoding: "utf8" }).stdout).toBe("");
  });
});

const NAMESPACES: Part = {
  name: "network and mount namespaces",
  howToGet: "run as root where unshare(1) of util-linux may make them",
  isThere: () => spawnSync("unshare", ["--net", "--mount", "true"], { timeout: 20_000 }).status === 0,
};

describeWith([ROOT_USER, NAMESPACES], "script and apply on a real kernel", () => {
  function valuesAfter(way: "apply" | "script" | "nothing"): { exitCode: number; values: unknown } {
    const round = resolve(import.meta.dirname, "script-and-apply.ts");
    const script = join(folder, "real.sh");
    const shell = 'mount -t tmpfs books /var/lib && mount -t tmpfs books /run && exec "$@"';
    const args = ["--net", "--mount", "--", "sh", "-c", shell, "sh", process.execPath, round, way, script];
    const output = execFileSync("unshare", args, { encoding: "utf8", timeout: 60_000 });
    return JSON.parse(output) as { exitCode: number; values: unknown };
  }

  it("gives the same values of a network namespace", () => {
    const applied = valuesAfter("apply");
    const scripted = valuesAfter("script");
    expect(scripted.exitCode).toBe(0);
    expect(scripted.values).toEqual(applied.values);
    expect(Object.values(applied.values as Record<string, unknown>).length).toBeGreaterThan(5);
  });

  it("says so when the kernel refuses or narrows a value", () => {
    const script = join(folder, "refused.sh");
    writeFileSync(
      script,
      scriptOf([
        { kind: "kernel-file", path: "/proc/sys/net/ipv4/tcp_tw_reuse", text: "77\n" },
        { kind: "kernel-file", path: "/proc/sys/net/ipv4/tcp_notsent_lowat", text: "131072\n" },
      ]),
    );
    const result = spawnSync("unshare", ["--net", "sh", script], { encoding: "utf8", timeout: 60_000 });
    expect(result.status).toBe(1);
    expect(result.stderr).toContain("not in force: demo: cannot write /proc/sys/net/ipv4/tcp_tw_reuse");
    expect(result.stderr).not.toContain("tcp_notsent_lowat");
  });
});
