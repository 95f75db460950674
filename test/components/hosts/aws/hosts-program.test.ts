import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { environmentSchema } from "../../../../components/environment/environment-spec.ts";
import { hostRankingSchema, rankHosts } from "../../../../components/hosts/aws/host-ranking.ts";
import { renderHostRanking } from "../../../../components/hosts/aws/render-host-ranking.ts";
import { loadCatalogue } from "../../../../cost/catalogue/catalogue.ts";

vi.setConfig({ testTimeout: 120_000 });

const REPOSITORY = path.resolve(import.meta.dirname, "../../../..");
const CATALOGUE = loadCatalogue("us-east-1");

const ENVIRONMENT = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "trial",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [
    {
      name: "web",
      where: "aws",
      count: 3,
      spot: true,
      needs: { vcpus: 8, memoryGiB: 16, threadsPerCore: 1 },
    },
    {
      name: "train",
      where: "aws",
      count: 2,
      rootVolumeGiB: 200,
      needs: { vcpus: 96, memoryGiB: 512, gpus: 8, efaInterfaces: 8, nvmeDisks: 2, numaNodes: 2 },
    },
  ],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "90000.00" },
};

const ranking = rankHosts(environmentSchema.parse(ENVIRONMENT), CATALOGUE);

describe("rankHosts()", () => {
  test("keeps to its schema, and has every type of the catalogue in every pool once", () => {
    expect(hostRankingSchema.parse(ranking)).toEqual(ranking);
    for (const pool of ranking.pools) {
      const types = [...pool.ranked, ...pool.rejectedTypes].map(({ type }) => type);
      expect(new Set(types).size).toBe(types.length);
      expect(types).toHaveLength(CATALOGUE.instanceTypes.length);
    }
  });

  test("marks what the pool launches: one type, and of a spot pool those of one template", () => {
    const used = ranking.pools.map((pool) => pool.ranked.filter(({ isUsed }) => isUsed));
    expect(used[0]?.length).toBeGreaterThan(1);
    expect(new Set(used[0]?.map(({ cpuOptions }) => JSON.stringify(cpuOptions))).size).toBe(1);
    expect(used[1]).toHaveLength(1);
  });

  test("counts vCPUs as CPU options leave them", () => {
    const c7i = ranking.pools[0]?.ranked.find(({ type }) => type === "c7i.4xlarge");
    expect(c7i).toMatchObject({ vcpus: 8, cpuOptions: { coreCount: 8, threadsPerCore: 1 } });
  });
});

describe("renderHostRanking()", () => {
  test("reads as the golden file, at most 100 columns wide", async () => {
    const text = renderHostRanking(ranking, { top: 6 });
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(text).toMatchFileSnapshot("../../../golden/hosts/trial.txt");
  });

  test("says of one type, or of each of a family, why not", () => {
    const text = renderHostRanking(ranking, { top: 6, why: "g6" });
    expect(text).toContain("- g6.48xlarge has 1 of 8 EFA interfaces");
    expect(text).not.toContain("g6e.");
    expect(renderHostRanking(ranking, { top: 6, why: "c7i.4xlarge" })).toMatch(
      /- c7i\.4xlarge fits: number \d+ of/,
    );
    expect(renderHostRanking(ranking, { top: 6, why: "z99" })).toContain('no type or family "z99"');
  });

  test("never shows a price where there is none", () => {
    const elsewhere = rankHosts(
      environmentSchema.parse({ ...ENVIRONMENT, region: "eu-central-1" }),
      loadCatalogue("eu-central-1"),
    );
    const text = renderHostRanking(elsewhere, { top: 6 });
    expect(text).toContain("unpriced");
    expect(text).not.toMatch(/\d USD/);
  });
});

describe("bedplate hosts", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-hosts-"));
    writeFileSync(path.join(folder, "trial.yaml"), stringify(ENVIRONMENT));
    const [web] = ENVIRONMENT.hostPools;
    const hostPools = [{ ...web, placement: "cluster", zones: ["us-east-1a", "us-east-1b"] }];
    writeFileSync(path.join(folder, "excluded.yaml"), stringify({ ...ENVIRONMENT, hostPools }));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const run = (...args: string[]) =>
    execa(process.execPath, [path.join(REPOSITORY, "cli/bedplate.ts"), "hosts", ...args], {
      cwd: folder,
      reject: false,
      timeout: 60_000,
    });

  test("prints the contract with --format json", async () => {
    const { stdout, exitCode } = await run("--env", "./trial.yaml", "--pool", "train", "--format", "json");
    expect(exitCode).toBe(0);
    expect(hostRankingSchema.parse(JSON.parse(stdout)).pools).toEqual([ranking.pools[1]]);
  });

  test("fails with 1 where settings exclude each other, and with 2 for a pool or a number that is none", async () => {
    const excluded = await run("--env", "./excluded.yaml");
    expect(excluded.exitCode).toBe(1);
    expect(excluded.stdout).toContain("hostPools[0].zones: a cluster placement group lies in one zone");
    const unknown = await run("--env", "./trial.yaml", "--pool", "gpu");
    expect([unknown.exitCode, unknown.stderr]).toEqual([
      2,
      expect.stringContaining('--pool: "gpu" is no pool on AWS of trial; there are web, train'),
    ]);
    expect((await run("--env", "./trial.yaml", "--top", "0")).exitCode).toBe(2);
  });
});
