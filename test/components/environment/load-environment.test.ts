import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { environmentSchema } from "../../../components/environment/environment-spec.ts";
import { readHostArchives } from "../../../components/environment/host-archives.ts";
import { hostProfileOf } from "../../../components/environment/host-user-data.ts";
import {
  environmentNames,
  loadEnvironment,
  loadEnvironmentFile,
} from "../../../components/environment/load-environment.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { prod } from "../../../stacks/prod.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-environment-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
}

async function faultsOf(work: Promise<unknown>): Promise<string[]> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!(error instanceof InputError)) throw new Error(`Expected an InputError, got ${String(error)}`);
  return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
}

describe("loadEnvironment()", () => {
  test("reads every committed environment, each under its own name", async () => {
    for (const name of environmentNames()) expect((await loadEnvironment(name)).name).toBe(name);
  });

  test("fails for a name without a file, never looks outside the folder", async () => {
    for (const name of ["production", "../package", "index", ""]) {
      expect(await faultsOf(loadEnvironment(name))).toEqual([
        "name: no file for it in stacks/; there are dev, local, prod, staging",
      ]);
    }
  });
});

describe("loadEnvironmentFile()", () => {
  test("reads JSON as it reads a module", async () => {
    const file = write("prod.json", JSON.stringify(prod));
    expect(await loadEnvironmentFile(file)).toEqual(await loadEnvironment("prod"));
  });

  test("fails for a file that is missing, no YAML, or a module without the export", async () => {
    expect(await faultsOf(loadEnvironmentFile(path.join(folder, "none.yaml")))).toEqual([
      ": there is no such file",
    ]);
    expect(await faultsOf(loadEnvironmentFile(write("broken.yaml", "a: [1")))).toEqual([
      expect.stringContaining("Cannot read as YAML or JSON"),
    ]);
    expect(await faultsOf(loadEnvironmentFile(write("mine.ts", "export const other = 1;\n")))).toEqual([
      ': exports no "mine"; it has other',
    ]);
  });
});

describe("environment contract", () => {
  const faults = (data: unknown) => {
    const result = environmentSchema.safeParse(data);
    return result.success ? [] : result.error.issues.map((issue) => issue.path.join("."));
  };

  test("asks for an image where the service runs on Kubernetes", () => {
    const { image: _, ...service } = prod.service;
    expect(faults({ ...prod, service })).toEqual(["service.image"]);
  });

  test("fails where the service's namespace is longer than Kubernetes takes", () => {
    const owner = { ...prod.owner, service: "s".repeat(40) };
    expect(faults({ ...prod, owner, name: "e".repeat(40) })).toEqual(["owner.service"]);
  });

  test("fails for a cost center that no Kubernetes label can hold", () => {
    expect(faults({ ...prod, owner: { ...prod.owner, costCenter: "-4711" } })).toEqual(["owner.costCenter"]);
  });
});

test("hostProfileOf() tunes for the service as the environment runs it", async () => {
  const environment = await loadEnvironment("prod");
  const [pool] = environment.hostPools;
  if (pool === undefined) throw new Error("prod has no pool");
  const profile = hostProfileOf(environment, pool);
  expect(profile).toMatchObject({
    kind: "HostProfile",
    preset: "latency",
    service: { runtime: "kubernetes", memoryBytes: 8192 * 1024 * 1024 },
  });
});

describe("readHostArchives()", () => {
  const sha256 = "0".repeat(64);

  test("finds the files beside the list", async () => {
    const archives = await readHostArchives("test/fixtures/archives/manifest.json");
    expect(path.basename(archives.agent.arm64?.path ?? "")).toBe("agent-arm64.txt");
    expect(path.isAbsolute(archives.service.path)).toBe(true);
  });

  test("fails for every file that is missing or not the one that was listed", async () => {
    write("agent.bin", "not the listed one");
    const list = write(
      "manifest.json",
      JSON.stringify({ agent: { x86_64: { path: "agent.bin", sha256 } }, service: { path: "none", sha256 } }),
    );
    expect(await faultsOf(readHostArchives(list))).toEqual([
      expect.stringMatching(/^agent\.x86_64\.sha256: the file has [0-9a-f]{64}$/),
      expect.stringMatching(/^service\.path: Cannot read/),
    ]);
  });

  test("fails for a list that is not there", async () => {
    expect(await faultsOf(readHostArchives(path.join(folder, "no-list.json")))).toEqual([
      ": Cannot read the list of archives",
    ]);
  });
});
