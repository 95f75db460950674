import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hostPlanSchema } from "../../../host-tuning/engine/host-plan.ts";
import { JOURNAL_PATH } from "../../../host-tuning/engine/journal.ts";
import { hostFactsSchema } from "../../../host-tuning/facts/host-facts.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { REPORT_PATHS } from "../../../host-tuning/report/save-report.ts";
import { type HostRoot, createHostRoot } from "../../helpers/host-root.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { treeHash, treeState } from "../engine/tree-state.ts";
import { agent } from "./agent-process.ts";

let host: HostRoot;
let start: Record<string, string>;

beforeAll(async () => {
  host = await createHostRoot({ ...stockHost(), "/var/lib/keep": "", "/run/keep": "" });
  start = treeState(host.root);
});

afterAll(async () => {
  await host[Symbol.asyncDispose]();
});

const root = (): readonly string[] => ["--root", host.root];

/** Five faults in the profile's own shape and in its overrides. */
const BROKEN_PROFILE = `
apiVersion: bedplate/v1
kind: HostProfile
preset: fastest
workload: {connections: 0, colour: red}
overrides:
  net.core.nothing: {value: 1, because: a test}
  net.core.somaxconn: {value: plenty, because: a test}
`;

describe("bedplate, a whole round on one root", () => {
  it("facts --json is the contract", async () => {
    const { stdout, exitCode } = await agent(["facts", "--json", ...root()]);
    expect(exitCode).toBe(0);
    expect(parseContract(hostFactsSchema, JSON.parse(stdout), "facts").cpu.onlineCpus).toBe("0-15");
  });

  it("plan --out saves what plan --json prints, and writes nothing on the host", async () => {
    const out = join(host.root, "run/plan.json");
    const printed = await agent(["plan", "--json", ...root(), "--out", out]);
    expect(printed).toMatchObject({ exitCode: 0, stderr: "" });
    expect(readFileSync(out, "utf8")).toBe(printed.stdout);
    parseContract(hostPlanSchema, JSON.parse(printed.stdout), "plan");
    const { "/run/plan.json": saved, ...rest } = treeState(host.root);
    expect(saved).toBeDefined();
    expect(rest).toEqual(start);
  });

  it("apply --plan does it, and saves the report on the host", async () => {
    const applied = await agent(["apply", "--json", ...root(), "--plan", join(host.root, "run/plan.json")]);
    expect(applied).toMatchObject({ exitCode: 0, stderr: "" });
    const report = parseContract(hostReportSchema, JSON.parse(applied.stdout), "report");
    expect(report.counts).toMatchObject({ failed: 0, "needs-reboot": 0 });
    expect(report.counts.changed).toBeGreaterThan(10);
    for (const path of REPORT_PATHS) expect(JSON.parse(await host.read(path))).toEqual(report);
  });

  it("apply --plan a second time is refused as stale, exit 3, and says which steps", async () => {
    const before = treeHash(host.root);
    const again = await agent(["apply", ...root(), "--plan", join(host.root, "run/plan.json")]);
    expect(again.exitCode).toBe(3);
    expect(again.stdout).toBe("");
    expect(again.stderr).toMatch(/^bedplate: Cannot apply .*plan\.json: the host changed/);
    expect(again.stderr).toMatch(/net\.core\.rmem_max: before was "212992", is "\d+"/);
    expect(treeHash(host.root)).toBe(before);
  });

  it("apply again changes nothing; verify and status say as wanted", async () => {
    const state = treeState(host.root);
    const journal = await host.read(JOURNAL_PATH);
    const again = await agent(["apply", "--json", ...root()]);
    expect(again.exitCode).toBe(0);
    expect((JSON.parse(again.stdout) as { counts: unknown }).counts).toMatchObject({ changed: 0 });
    expect(treeState(host.root)).toEqual(state);
    expect(await host.read(JOURNAL_PATH)).toBe(journal);
    expect((await agent(["verify", ...root()])).exitCode).toBe(0);
    const status = await agent(["status", ...root()]);
    expect(status.exitCode).toBe(0);
    expect(status.stdout).toContain("no drift");
  });

  it("verify and status exit 3 when somebody changed a value", async () => {
    const path = "/proc/sys/net/core/rmem_max";
    const set = await host.read(path);
    await host.write(path, "212992\n");
    const verified = await agent(["verify", ...root()]);
    expect(verified.exitCode).toBe(3);
    expect(verified.stdout).toContain("1 drifted");
    const status = await agent(["status", "--json", ...root()]);
    expect(status.exitCode).toBe(3);
    expect(JSON.parse(status.stdout)).toMatchObject({ drifted: 1 });
    await host.write(path, set);
  });

  it("keeps every line of what people read to 100 columns, without colour in a pipe", async () => {
    for (const verb of ["facts", "plan", "verify", "status", "knobs", "explain"]) {
      const args = verb === "knobs" ? [] : root();
      const all = verb === "plan" || verb === "verify" ? ["--all"] : [];
      const { stdout, stderr } = await agent([
        verb,
        ...(verb === "explain" ? ["vm.swappiness"] : []),
        ...args,
        ...all,
      ]);
      expect(stderr).toBe("");
      expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
      expect(stdout).not.toContain("\u001b");
      expect(stdout.length).toBeGreaterThan(200);
    }
  });

  it("rollback gives the tree back byte for byte, and has nothing left to do", async () => {
    const back = await agent(["rollback", ...root()]);
    expect(back).toMatchObject({ exitCode: 0, stderr: "" });
    await host.remove("/run/plan.json");
    expect(treeState(host.root)).toEqual(start);
    const again = await agent(["rollback", ...root()]);
    expect(again.stdout).toContain("The journal holds nothing to take back");
  });
});

describe("bedplate, bad input", () => {
  it("a profile with five faults: all five with paths, exit 2, nothing changed", async () => {
    const profile = join(host.root, "run/broken.yaml");
    writeFileSync(profile, BROKEN_PROFILE);
    const before = treeHash(host.root);
    for (const verb of ["plan", "apply", "verify"]) {
      const { exitCode, stdout, stderr } = await agent([verb, "--json", ...root(), "--profile", profile]);
      expect(exitCode).toBe(2);
      expect(
        (JSON.parse(stdout) as { faults: { path: string }[] }).faults.map((fault) => fault.path),
      ).toEqual([
        "preset",
        "workload.connections",
        "workload.colour",
        'overrides["net.core.nothing"]',
        'overrides["net.core.somaxconn"].value',
      ]);
      expect(stderr).toContain(`bedplate: ${profile}: 5 faults`);
    }
    expect(treeHash(host.root)).toBe(before);
    await host.remove("/run/broken.yaml");
  });

  it("the host's own broken profile stops apply, and not rollback or status", async () => {
    await host.write("/etc/bedplate/profile.yaml", BROKEN_PROFILE);
    const applied = await agent(["apply", ...root()]);
    expect(applied.exitCode).toBe(2);
    expect(applied.stderr).toContain("/etc/bedplate/profile.yaml: 5 faults");
    expect((await agent(["rollback", ...root()])).exitCode).toBe(0);
    expect((await agent(["status", ...root()])).exitCode).toBe(0);
    await host.remove("/etc/bedplate");
  });

  it("a plan with five faults: all five with paths, exit 2, nothing changed", async () => {
    const file = join(host.root, "run/plan.json");
    await agent(["plan", ...root(), "--out", file]);
    const plan = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    writeFileSync(
      file,
      JSON.stringify({
        ...plan,
        kind: "Plan",
        digest: "none",
        phase: "soon",
        steps: [{}],
        extra: 1,
        root: 7,
      }),
    );
    const before = treeHash(host.root);
    const { exitCode, stderr } = await agent(["apply", ...root(), "--plan", file]);
    expect(exitCode).toBe(2);
    for (const path of ["kind", "digest", "phase", "steps[0].key", "extra", "root"]) {
      expect(stderr).toContain(`\n  ${path}: `);
    }
    expect(treeHash(host.root)).toBe(before);
    await host.remove("/run/plan.json");
  });

  it("a journal broken in five lines: all five, exit 1, nothing changed", async () => {
    await using other = await createHostRoot({ ...stockHost() });
    await agent(["apply", "--root", other.root]);
    const lines = (await other.read(JOURNAL_PATH)).split("\n");
    for (const line of [0, 2, 4, 6, 8]) lines[line] = lines[line]?.replace("step", "stop") ?? "";
    await other.write(JOURNAL_PATH, lines.join("\n"));
    const before = treeHash(other.root);
    for (const verb of ["apply", "verify", "rollback", "status"]) {
      const { exitCode, stderr } = await agent([verb, "--root", other.root]);
      expect(exitCode).toBe(1);
      for (const line of [1, 3, 5, 7, 9]) expect(stderr).toContain(`\n  line ${line}: `);
    }
    expect(treeHash(other.root)).toBe(before);
  });

  it.each([
    [["frobnicate"], "unknown command"],
    [["plan", "--script", "--json"], "cannot be used with option '--json'"],
    [["apply", "--device", "eth7"], "no NIC, disk or GPU of this host has that name"],
    [["apply", "--device", "eth7", "--plan", "x"], "cannot be used with option '--plan"],
    [["metrics", "--textfile", "--out", "x"], "cannot be used with option"],
    [["plan", "--phase", "never"], "Allowed choices are early, late, all"],
    [["apply", "--plan", "a", "--profile", "b"], "cannot be used with"],
    [["plan", "--profile", "/nonexistent/profile.yaml"], "ENOENT"],
    [["apply", "--plan", "/nonexistent/plan.json"], "ENOENT"],
    [["explain", "net.core.somaxcon"], "no such knob"],
  ])("%j: exit 2 and a reason", async (args, reason) => {
    const where = args[0] === "frobnicate" ? [] : root();
    const { exitCode, stderr } = await agent([...args, ...where]);
    expect(stderr).toContain(reason);
    expect(exitCode).toBe(2);
  });

  it("a root that is not there: exit 1 and a reason", async () => {
    const { exitCode, stderr } = await agent(["plan", "--root", "/nonexistent"]);
    expect([exitCode, stderr]).toEqual([1, "bedplate: Cannot open host root /nonexistent: no such folder\n"]);
  });
});

describe("bedplate, help and lists", () => {
  it("every verb's help has an example and the exit codes", async () => {
    const { stdout, exitCode } = await agent(["--help"]);
    expect(exitCode).toBe(0);
    for (const verb of ["facts", "plan", "apply", "verify", "rollback", "status", "explain", "knobs"]) {
      expect(stdout).toMatch(new RegExp(`\\n  ${verb} `));
      const help = await agent([verb, "--help"]);
      expect(help.exitCode).toBe(0);
      expect(help.stdout).toContain(`$ bedplate ${verb}`);
      expect(help.stdout).toContain("Exit codes: 0 as wanted");
    }
  });

  it("knobs lists the registry, explain shows one with its values here", async () => {
    const listed = JSON.parse((await agent(["knobs", "--json"])).stdout) as { id: string }[];
    expect(listed.map((knob) => knob.id)).toEqual(KNOBS.map((knob) => knob.id));
    const { stdout } = await agent(["explain", "net.core.somaxconn", ...root()]);
    for (const word of [
      "unit",
      "kernel default",
      "risk",
      "takes effect",
      "namespace",
      "sources",
      "current",
      "wanted",
      "because",
      "also set by",
    ]) {
      expect(stdout).toMatch(new RegExp(`^${word} +\\S`, "m"));
    }
  });
});

describe("bedplate under systemd", () => {
  it("logs one JSON line per event on stderr, and the report stays on stdout", async () => {
    await using other = await createHostRoot({ ...stockHost() });
    const { stdout, stderr, exitCode } = await agent(["apply", "--json", "--root", other.root], {
      JOURNAL_STREAM: "8:12345",
    });
    expect(exitCode).toBe(0);
    const events = stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events.find((event) => event["knob"] === "net.core.rmem_max")).toMatchObject({
      level: "info",
      event: "changed",
      before: "212992",
    });
    expect(JSON.parse(stdout)).toMatchObject({ kind: "HostReport" });
    expect(existsSync(join(other.root, REPORT_PATHS[0]))).toBe(true);
  });
});
