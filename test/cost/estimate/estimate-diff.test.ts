import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import fc from "fast-check";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import {
  type Environment,
  type EnvironmentInput,
  environmentSchema,
} from "../../../components/environment/environment-spec.ts";
import { type Catalogue, loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { buildCostEstimate } from "../../../cost/estimate/build-cost-estimate.ts";
import { buildEstimateDiff, type DiffBase } from "../../../cost/estimate/build-estimate-diff.ts";
import { readDeployedEstimate } from "../../../cost/estimate/deployed-estimate.ts";
import { type EstimateDiff, estimateDiffSchema } from "../../../cost/estimate/estimate-diff.ts";
import {
  renderEstimateDiffCsv,
  renderEstimateDiffMarkdown,
  renderEstimateDiffTable,
} from "../../../cost/estimate/render-estimate-diff.ts";
import { addDecimals, formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { costCommand, type Outcome } from "../cost-command.ts";

interface Side {
  readonly team: string;
  readonly hoursPerMonth: number;
  readonly pools: readonly { readonly name: string; readonly count: number; readonly vcpus: number }[];
}

const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");

const catalogues = new Map<string, Catalogue>();

/** Read once: it has every instance type. */
function catalogueOf(region: string): Catalogue {
  const catalogue = catalogues.get(region) ?? loadCatalogue(region);
  catalogues.set(region, catalogue);
  return catalogue;
}

const folder = realpathSync(mkdtempSync(path.join(tmpdir(), "bedplate-estimate-diff-")));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const WEB = {
  name: "web",
  where: "aws",
  count: 3,
  maxCount: 5,
  needs: { vcpus: 8, memoryGiB: 16, nvmeGB: 400, architecture: "arm64", numaNodes: 1 },
} as const;
const GPU = { name: "gpu", where: "aws", count: 1, needs: { vcpus: 8, memoryGiB: 32, gpus: 1 } } as const;

function input(changes: Partial<EnvironmentInput> = {}): EnvironmentInput {
  return {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "staging",
    region: "us-east-1",
    owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
    hostPools: [WEB, GPU],
    service: { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "1300.00" },
    ...changes,
  };
}

function environment(changes?: Partial<EnvironmentInput>): Environment {
  return environmentSchema.parse(input(changes));
}

function baseOf(changes?: Partial<EnvironmentInput>): DiffBase {
  const before = environment(changes);
  return {
    name: "main (0123456789ab)",
    estimate: buildCostEstimate(before, catalogueOf(before.region), "team"),
    covers: "everything",
  };
}

function diff(base: DiffBase, changes?: Partial<EnvironmentInput>): EstimateDiff {
  const after = environment(changes);
  const built = buildEstimateDiff(base, buildCostEstimate(after, catalogueOf(after.region), "team"));
  expect(estimateDiffSchema.parse(built)).toEqual(built);
  return built;
}

describe("buildEstimateDiff()", () => {
  it("finds a changed count, a new pool and a pool that is gone, with their exact change", () => {
    const { lines, total, atMost } = diff(baseOf(), {
      hostPools: [
        { ...WEB, count: 4 },
        { name: "batch", where: "aws", count: 2, needs: { vcpus: 2, memoryGiB: 4 } },
      ],
    });
    const hosts = lines.filter(({ before, after }) => [before?.kind, after?.kind].includes("priced"));
    const batch = hosts.find(({ pool }) => pool === "batch");
    expect(hosts.map(({ pool, outcome }) => [pool, outcome])).toEqual([
      ["web", "changed"],
      ["batch", "added"],
      ["gpu", "removed"],
    ]);
    // 0.307200 x 730 a host; the GPU host is 548.96 a month.
    expect(hosts.find(({ pool }) => pool === "web")).toMatchObject({ change: "224.256" });
    expect(hosts.find(({ pool }) => pool === "gpu")).toMatchObject({ change: "-548.96", after: null });
    expect(total).toMatchObject({ before: "1221.728", beforeRounded: "1221.73" });
    expect(total.change).toBe(
      formatDecimal(
        addDecimals([224.256, batch?.change ?? "", -548.96].map((text) => parseDecimal(String(text)))),
      ),
    );
    expect(atMost.before).toBe("1670.24");
  });

  it("keeps a volume one line when its count or size changes", () => {
    const { lines } = diff(baseOf(), { hostPools: [{ ...WEB, count: 4, rootVolumeGiB: 99 }, GPU] });
    const volumes = lines.filter(({ before }) => before?.item.includes("root volume") === true);
    expect(volumes).toMatchObject([
      { pool: "web", outcome: "changed", after: { item: "4 x 99 GiB root volume (EBS gp3)" }, change: null },
      { pool: "gpu", outcome: "same" },
    ]);
  });

  it("adds up to the cent across and down, whatever changed", () => {
    const pool = fc.record({
      name: fc.constantFrom("web", "gpu", "batch"),
      count: fc.integer({ min: 1, max: 7 }),
      vcpus: fc.integer({ min: 1, max: 16 }),
    });
    const side = fc.record({
      team: fc.constantFrom("payments", "search"),
      hoursPerMonth: fc.constantFrom(730, 182.5, 33.3),
      pools: fc.uniqueArray(pool, { minLength: 1, selector: ({ name }) => name }),
    });
    const changesOf = ({ team, hoursPerMonth, pools }: Side): Partial<EnvironmentInput> => ({
      owner: { team, costCenter: "CC-7", service: "mcp-tools" },
      schedule: { hoursPerMonth },
      hostPools: pools.map(({ name, count, vcpus }) => ({
        name,
        where: "aws",
        count,
        needs: { vcpus, memoryGiB: 2 },
      })),
    });
    const sum = (amounts: readonly (string | null | undefined)[]): string =>
      formatDecimal(addDecimals(amounts.map((amount) => parseDecimal(amount ?? "0"))));
    const exact = (text: string): string => formatDecimal(parseDecimal(text));
    fc.assert(
      fc.property(side, side, (before, after) => {
        const { lines, rows, total } = diff(baseOf(changesOf(before)), changesOf(after));
        for (const change of [...rows, total]) {
          expect(sum([change.before, change.change])).toBe(exact(change.after));
          expect(sum([change.beforeRounded, change.changeRounded])).toBe(exact(change.afterRounded));
        }
        for (const of of ["change", "changeRounded"] as const) {
          expect(sum(rows.map((row) => row[of]))).toBe(exact(total[of]));
          expect(sum(lines.map((line) => line[of]))).toBe(exact(total[of]));
        }
      }),
      { numRuns: 25 },
    );
  });

  it("says what the totals do not: a new budget, a new region, a price on one side only", () => {
    const { notes, total, lines } = diff(baseOf({ region: "eu-central-1" }), {
      budget: { currency: "USD", perMonth: "9000.00" },
    });
    expect(notes).toEqual([
      "the region changes from eu-central-1 to us-east-1",
      "the budget changes from 1300.00 to 9000.00 USD",
      "web has a price on one side only: the total's change is not its change",
      "gpu has a price on one side only: the total's change is not its change",
    ]);
    expect(total).toMatchObject({ before: "0", after: "1221.728" });
    expect(lines.map(({ change }) => change)).not.toContain("0");
  });

  it("takes an environment that was not there as all new", () => {
    const built = diff({ name: "main (0123456789ab)", estimate: undefined, covers: "everything" });
    expect(built.lines.every(({ outcome }) => outcome === "added")).toBe(true);
    expect(built.total).toMatchObject({ before: "0", changeRounded: "1221.73" });
    expect(built.notes).toEqual(["main (0123456789ab) has no such environment: all of it is new"]);
  });
});

describe("renderEstimateDiff…()", () => {
  const change = (): EstimateDiff =>
    diff(baseOf(), {
      owner: { team: "search", costCenter: "CC-7", service: "mcp-tools" },
      hostPools: [
        { ...WEB, count: 4 },
        { name: "batch-of-nightly-reports", where: "aws", count: 12, needs: { vcpus: 96, memoryGiB: 4 } },
      ],
    });

  it("read as the golden files, the table at most 100 columns wide", async () => {
    const table = renderEstimateDiffTable(change());
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(table).toMatchFileSnapshot(path.join(GOLDEN, "estimate-diff.txt"));
    await expect(renderEstimateDiffMarkdown(change())).toMatchFileSnapshot(
      path.join(GOLDEN, "estimate-diff.md"),
    );
    await expect(renderEstimateDiffCsv(change())).toMatchFileSnapshot(path.join(GOLDEN, "estimate-diff.csv"));
  });

  it("never let a name become mark-up, a mention or a cell of a comment", () => {
    const hostile = "x](https://a.example) | @org/all <img src=y> `z`\n# h";
    const text = renderEstimateDiffMarkdown({ ...change(), base: hostile, notes: [hostile] });
    expect(text).not.toMatch(/@org|<img|[^\\]\]\(|[^\\]`|\n# h| \| &#64;/);
    expect(text).toContain("&#64;org/all &lt;img src=y>");
  });
});

/** A repository of its own, with the environment `shop` in stacks/. */
async function repository(): Promise<{
  readonly stacks: string;
  readonly commit: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly place: (files: Readonly<Record<string, string>>) => void;
}> {
  const top = mkdtempSync(path.join(folder, "repository-"));
  const stacks = path.join(top, "stacks");
  mkdirSync(stacks);
  const git = (...args: string[]): Promise<unknown> =>
    execa("git", ["-C", top, "-c", "user.name=t", "-c", "user.email=t@example.com", ...args]);
  await git("init", "--quiet", "--initial-branch=main");
  writeFileSync(path.join(top, "package.json"), '{"type":"module"}\n');
  const place = (files: Readonly<Record<string, string>>): void => {
    for (const [name, text] of Object.entries(files)) writeFileSync(path.join(stacks, name), text);
  };
  return {
    stacks,
    place,
    commit: async (files) => {
      place(files);
      await git("add", "--all");
      await git("commit", "--quiet", "--message=change");
    },
  };
}

function shop(changes: Partial<EnvironmentInput> = {}): string {
  return `export const shop = ${JSON.stringify(input({ name: "shop", hostPools: [WEB], ...changes }))};\n`;
}

describeWith([program("git", "apt-get install git")], "bedplate cost estimate --diff", () => {
  it("compares the working tree with a revision of a real repository, and gates on the budget", async () => {
    const { stacks, commit, place } = await repository();
    await commit({ "shop.ts": shop() });
    place({
      "shop.ts": shop({ hostPools: [{ ...WEB, count: 5 }], budget: { currency: "USD", perMonth: "700.00" } }),
    });
    const run = (...args: string[]): Promise<Outcome> =>
      costCommand(stacks, "estimate", "--env", "shop", "--diff", "main", ...args);
    const json = await run("--format", "json");
    expect(json).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await run("--json")).toEqual(json);
    const built = estimateDiffSchema.parse(JSON.parse(json.stdout));
    expect(built.base).toMatch(/^main \([0-9a-f]{12}\)$/);
    // 0.307200 x 730 x 2
    expect(built.total).toMatchObject({ before: "672.768", after: "1121.28", change: "448.512" });
    const gate = await run("--format", "markdown", "--fail-over-budget");
    expect(gate.exitCode).toBe(1);
    expect(gate.stdout).toContain(":warning: Budget 700.00 USD a month: OVER by 421.28");
    expect(gate.stdout).toContain(
      "| changed | web | 3 to 5 x c6gd.2xlarge, 730 h | 5 x c6gd.2xlarge, 730 h | +448.51 |",
    );
  });

  it("reads what the file imports as it was at that revision", async () => {
    const { stacks, commit, place } = await repository();
    const importing = `import { count } from "./sizes.ts";\nexport const shop = { ...${JSON.stringify(
      input({ name: "shop", hostPools: [] }),
    )}, hostPools: [{ ...${JSON.stringify(WEB)}, count }] };\n`;
    await commit({ "sizes.ts": "export const count = 1;\n", "shop.ts": importing });
    place({ "sizes.ts": "export const count = 2;\n" });
    const { stdout } = await costCommand(
      stacks,
      "estimate",
      "--env",
      "shop",
      "--diff",
      "HEAD",
      "--format",
      "json",
    );
    expect(estimateDiffSchema.parse(JSON.parse(stdout)).total).toMatchObject({
      before: "224.256",
      after: "448.512",
    });
  });

  it("takes a file that the revision does not have as new", async () => {
    const { stacks, commit, place } = await repository();
    await commit({ "other.ts": "export {};\n" });
    place({ "shop.ts": shop() });
    const { stdout, exitCode } = await costCommand(stacks, "estimate", "--env", "shop", "--diff", "main");
    expect(exitCode).toBe(0);
    expect(stdout).toContain("has no such environment: all of it is new");
  });

  it("goes by the file's own repository in a hook of git, which names another", async () => {
    const { stacks, commit } = await repository();
    await commit({ "shop.ts": shop() });
    vi.stubEnv("GIT_DIR", path.join(stacks, "../.git"));
    vi.stubEnv("GIT_INDEX_FILE", path.join(stacks, "../.git/index"));
    onTestFinished(() => {
      vi.unstubAllEnvs();
    });
    const outcome = await costCommand(stacks, "estimate", "--env", "shop", "--diff", "main");
    expect(outcome).toMatchObject({ exitCode: 0, stderr: "" });
    expect(outcome.stdout).toContain("0.00 USD a month against main");
    expect(outcome.stdout).not.toContain("all of it is new");
  });

  it("never lets the file of another revision write", async () => {
    const { stacks, commit, place } = await repository();
    const marker = path.join(stacks, "written");
    const writing = `import { writeFileSync } from "node:fs";\nwriteFileSync(${JSON.stringify(marker)}, "x");\n`;
    await commit({ "shop.ts": `${writing}${shop()}` });
    place({ "shop.ts": shop() });
    const outcome = await costCommand(stacks, "estimate", "--env", "shop", "--diff", "main");
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/[0-9a-f]{12}:stacks\/shop\.ts: 1 fault/);
    expect(() => realpathSync(marker)).toThrow("ENOENT");
  });

  it("fails with 2 without a repository or such a revision, on a file of then with faults, and on two bases", async () => {
    const { stacks, commit, place } = await repository();
    const run = (stacksFolder: string, ...args: string[]): Promise<Outcome> =>
      costCommand(stacksFolder, "estimate", "--env", "shop", ...args);
    await commit({ "shop.ts": `export const shop = { kind: "Environment" };\n` });
    place({ "shop.ts": shop() });
    const faulty = await run(stacks, "--diff", "main");
    expect(faulty).toMatchObject({ exitCode: 2, stdout: "" });
    for (const fault of ["apiVersion", "name", "hostPools", "budget"]) {
      expect(faulty.stderr).toContain(`\n  ${fault}`);
    }
    const missing = await run(stacks, "--diff", "--output=/etc/passwd");
    expect(missing).toMatchObject({ exitCode: 2, stdout: "" });
    expect(missing.stderr).toContain("there is no such revision");
    expect(await run(stacks, "--diff", "main", "--deployed", "x.json")).toMatchObject({ exitCode: 2 });
    expect(await run(stacks, "--format", "markdown")).toMatchObject({ exitCode: 2, stdout: "" });
    const bare = mkdtempSync(path.join(folder, "bare-"));
    writeFileSync(path.join(bare, "shop.ts"), shop());
    const outside = await run(bare, "--diff", "main");
    expect(outside.exitCode).toBe(2);
    expect(outside.stderr).toContain("is in no git repository");
  });
});

const OUTPUTS = {
  environment: "staging",
  owner: { team: "search", costCenter: "CC-7", service: "mcp-tools" },
  budget: { currency: "USD", perMonth: "1300.00" },
  pools: {
    web: { where: "aws", count: 2, machineType: "c6gd.2xlarge", addresses: [] },
    rack: { where: "ssh", count: 1, machineType: "rack", addresses: ["a"] },
    old: { where: "aws", count: 1, machineType: "z9.gone", addresses: [] },
  },
};

describe("bedplate cost estimate --deployed", () => {
  const write = (content: unknown): string => {
    const file = path.join(mkdtempSync(path.join(folder, "deployed-")), "deployed.json");
    writeFileSync(file, typeof content === "string" ? content : JSON.stringify(content));
    return file;
  };
  const read = async (content: unknown): Promise<EstimateDiff> => {
    const after = environment();
    const catalogue = catalogueOf("us-east-1");
    const estimate = await readDeployedEstimate(write(content), after, catalogue, "team");
    const base = { name: "what is deployed", estimate, covers: "hosts" } as const;
    return estimateDiffSchema.parse(buildEstimateDiff(base, buildCostEstimate(after, catalogue, "team")));
  };

  it("compares hosts alone, with the deployed owner and what the catalogue does not know", async () => {
    const { lines, rows, total, unpriced } = await read(OUTPUTS);
    expect(lines.map(({ pool, outcome, change }) => [pool, outcome, change])).toEqual([
      ["web", "changed", "224.256"],
      ["gpu", "added", "548.96"],
      ["rack", "removed", null],
      ["old", "removed", null],
    ]);
    expect(lines.at(-1)?.before?.because).toBe("the catalogue has no z9.gone");
    expect(rows.map(({ owner, change }) => [owner, change])).toEqual([
      ["payments", "1221.728"],
      ["search", "-448.512"],
    ]);
    expect(total.change).toBe("773.216");
    expect(unpriced).toEqual({ before: 1, after: 0 });
  });

  it("reads a stack export as the outputs in it", async () => {
    const resources = [
      { type: "pulumi:pulumi:Stack", urn: "urn:x", outputs: OUTPUTS },
      { type: "aws:ec2/instance:Instance", outputs: { secret: "x" } },
    ];
    expect(await read({ version: 3, deployment: { manifest: {}, resources } })).toEqual(await read(OUTPUTS));
  });

  it("reads the outputs of a program in Python, and leaves the names of its pools alone", async () => {
    const { owner, pools } = OUTPUTS;
    const python = {
      ...OUTPUTS,
      owner: { team: owner.team, cost_center: owner.costCenter, service: owner.service },
      pools: Object.fromEntries(
        Object.entries(pools).map(([name, { machineType, ...pool }]) => [
          name,
          { ...pool, machine_type: machineType },
        ]),
      ),
    };
    expect(await read(python)).toEqual(await read(OUTPUTS));
    const named = { ...python, pools: { machine_type: { ...python.pools["web"], machineType: "z9.other" } } };
    const { lines } = await read(named);
    expect(lines.find(({ pool }) => pool === "machine_type")?.before).toMatchObject({
      because: "the catalogue has no z9.other",
    });
  });

  it("fails on another environment's outputs, an empty stack and no file, naming why", async () => {
    await expect(read({ ...OUTPUTS, environment: "prod" })).rejects.toThrow(
      'environment: is of environment "prod", not "staging"',
    );
    await expect(read({ version: 3, deployment: {} })).rejects.toThrow("nothing was deployed");
    const after = environment();
    const missing = path.join(folder, "none.json");
    await expect(readDeployedEstimate(missing, after, catalogueOf("us-east-1"), "team")).rejects.toThrow(
      InputError,
    );
  });

  it("never throws anything but an InputError, whatever the file holds", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.string().map((text) => JSON.stringify(OUTPUTS).slice(0, text.length * 9)),
        ),
        async (content) => {
          await expect(read(content)).rejects.toBeInstanceOf(InputError);
        },
      ),
      { numRuns: 80 },
    );
  });
});
