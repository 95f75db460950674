import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, it } from "vitest";
import { readEnvironmentAnew } from "../../../cost/estimate/read-environment-anew.ts";
import { editEnvironmentText, pathSteps } from "../../../cost/right-size/edit-environment-text.ts";
import type { EnvironmentChange } from "../../../cost/right-size/right-size-report.ts";
import { writeEnvironment } from "../../../cost/right-size/write-environment.ts";
import { InputError } from "../../../host-tuning/errors.ts";

const folder = mkdtempSync(path.join(tmpdir(), "bedplate-write-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const TYPESCRIPT = `// Who owns this: see the runbook.
export const web = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "web",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [
    {
      name: "serving", where: "aws",
      count: 4, // four, because of the launch in May
      needs: { vcpus: 16, memoryGiB: 64 },
    },
  ],
  service: { runtime: "systemd", cpus: 8, memoryMiB: 16_384 /* 16 GiB */ },
  budget: { currency: "USD", perMonth: "4000.00" },
} as const;
`;

const YAML = `# Who owns this: see the runbook.
apiVersion: bedplate/v1
kind: Environment
name: web
region: us-east-1
owner: {team: payments, costCenter: CC-7, service: mcp-tools}
hostPools:
- name: serving
  where: aws
  count: 4   # four, because of the launch in May
  needs: {vcpus: 16, memoryGiB: 64}
service:
    runtime: systemd
    cpus: 8
    memoryMiB: 16384 # 16 GiB
budget: {currency: USD, perMonth: '4000.00'}
`;

const CHANGES: readonly EnvironmentChange[] = [
  { path: "service.cpus", from: 8, to: 3 },
  { path: "service.memoryMiB", from: 16_384, to: 10_240 },
  { path: "hostPools[0].count", from: 4, to: 2 },
  { path: "hostPools[0].needs.memoryGiB", from: 64, to: 32 },
];

let file = "";
let round = 0;
beforeEach(() => {
  round += 1;
});

/** A file of its own for each test: modules stay in memory by their address. */
function place(text: string, extension: "ts" | "yaml"): string {
  const own = path.join(folder, String(round));
  rmSync(own, { recursive: true, force: true });
  file = path.join(mkdtempSync(`${own}-`), `web.${extension}`);
  writeFileSync(file, text);
  return file;
}

async function write(text: string, extension: "ts" | "yaml", changes = CHANGES): Promise<string> {
  const target = place(text, extension);
  const environment = await readEnvironmentAnew(target);
  await writeEnvironment(target, environment, changes);
  return readFileSync(target, "utf8");
}

describe("writeEnvironment()", () => {
  it("changes the numbers of a TypeScript file and no other character", async () => {
    const expected = TYPESCRIPT.replace("cpus: 8,", "cpus: 3,")
      .replace("16_384", "10_240")
      .replace("count: 4,", "count: 2,")
      .replace("memoryGiB: 64", "memoryGiB: 32");
    expect(await write(TYPESCRIPT, "ts")).toBe(expected);
    expect(await readEnvironmentAnew(file)).toMatchObject({
      service: { cpus: 3, memoryMiB: 10_240 },
      hostPools: [{ count: 2, needs: { vcpus: 16, memoryGiB: 32 } }],
    });
    expect(readdirSync(path.dirname(file))).toEqual(["web.ts"]);
  });

  it("does the same to YAML", async () => {
    const expected = YAML.replace("cpus: 8", "cpus: 3")
      .replace("16384", "10240")
      .replace("count: 4 ", "count: 2 ")
      .replace("memoryGiB: 64", "memoryGiB: 32");
    expect(await write(YAML, "yaml")).toBe(expected);
  });

  it("does it to every environment of this repository", async () => {
    const stacks = path.resolve(import.meta.dirname, "../../../stacks");
    for (const name of ["dev", "staging", "prod"]) {
      const text = readFileSync(path.join(stacks, `${name}.ts`), "utf8");
      const environment = await readEnvironmentAnew(path.join(stacks, `${name}.ts`));
      const { count } = environment.hostPools[0] ?? { count: 0 };
      const { cpus } = environment.service;
      const edited = await editEnvironmentText(
        text,
        [
          { path: "service.cpus", from: cpus, to: cpus + 1 },
          { path: "hostPools[0].count", from: count, to: count + 1 },
        ],
        name,
        name,
      );
      const changed = edited.split("\n").filter((line, index) => line !== text.split("\n")[index]);
      expect(changed.length).toBe(2);
    }
  });

  it.each([
    ["a number that is computed", TYPESCRIPT.replace("count: 4,", "count: 2 * 2,"), "is no plain number"],
    ["a pool from elsewhere", TYPESCRIPT.replace("hostPools: [", "hostPools: [...[],"), "is a list with ..."],
    ["a value that is not written down", TYPESCRIPT.replace("cpus: 8, ", ""), "does not say cpus"],
    ["a number said twice", TYPESCRIPT.replace("cpus: 8,", "cpus: 7, cpus: 8,"), "more than once"],
  ])("fails on %s, with every reason, and leaves the file", async (_, text, message) => {
    const target = place(text.replace(" as const", ""), "ts");
    const before = readFileSync(target, "utf8");
    const environment = await readEnvironmentAnew(target);
    const changes = CHANGES.map((change) =>
      change.path === "service.cpus" ? { ...change, from: environment.service.cpus } : change,
    );
    const failed = writeEnvironment(target, environment, changes);
    await expect(failed).rejects.toThrow(InputError);
    await expect(failed).rejects.toThrow(message);
    expect(readFileSync(target, "utf8")).toBe(before);
  });

  it("fails on a number that somebody changed since", async () => {
    const target = place(YAML, "yaml");
    const environment = await readEnvironmentAnew(target);
    writeFileSync(target, YAML.replace("count: 4", "count: 5"));
    const failed = writeEnvironment(target, environment, CHANGES);
    await expect(failed).rejects.toThrow("hostPools[0].count: is 5 in the file, and 4 was expected");
  });

  it("fails and puts the old file back when the edited one is refused", async () => {
    const target = place(TYPESCRIPT, "ts");
    const environment = await readEnvironmentAnew(target);
    const changes = [{ path: "hostPools[0].count", from: 4, to: 0 }];
    const failed = writeEnvironment(target, environment, changes);
    await expect(failed).rejects.toThrow(/edited file is refused[\s\S]*it is as it was/);
    expect(readFileSync(target, "utf8")).toBe(TYPESCRIPT);
  });

  it("fails and puts the old file back when the number is another one than it seemed", async () => {
    // The anchor's number is used twice: one edit, two meanings.
    const text = YAML.replace("count: 4 ", "count: &n 4 ").replace("cpus: 8", "cpus: *n");
    const target = place(text, "yaml");
    const environment = await readEnvironmentAnew(target);
    const failed = writeEnvironment(target, environment, [{ path: "hostPools[0].count", from: 4, to: 3 }]);
    await expect(failed).rejects.toThrow("says something else");
    expect(readFileSync(target, "utf8")).toBe(text);
  });
});

describe("editEnvironmentText()", () => {
  it("never changes anything but numbers, whatever the file", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.nat(YAML.length), async (noise, at) => {
        for (const [text, name] of [
          [YAML, undefined],
          [TYPESCRIPT, "web"],
        ] as const) {
          const mutated = text.slice(0, at) + noise + text.slice(at);
          const edited = await editEnvironmentText(mutated, CHANGES, "web", name).catch((error: unknown) => {
            if (error instanceof InputError) return mutated;
            throw error;
          });
          expect(edited.replaceAll(/\d[\d_]*/g, "#")).toBe(mutated.replaceAll(/\d[\d_]*/g, "#"));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("reads paths as faults write them", () => {
    expect(pathSteps('service.kubernetes.devices["nvidia.com/gpu"]')).toEqual([
      "service",
      "kubernetes",
      "devices",
      "nvidia.com/gpu",
    ]);
    expect(pathSteps("hostPools[12].needs.vcpus")).toEqual(["hostPools", 12, "needs", "vcpus"]);
  });
});
