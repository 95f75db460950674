import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import path from "node:path";
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { buildHostArchives } from "../../../components/environment/host-archives.ts";
import {
  type EngineProgress,
  type LocalUp,
  destroyLocal,
  isLeftByDead,
  previewLocal,
  readEvent,
  readLocalOutputs,
  upLocal,
} from "../../../components/environment/run-engine.ts";
import {
  defaultStateDir,
  describe as describeVm,
  openVm,
} from "../../../components/hosts/local-vm/local-vm.ts";
import { claimStateDir } from "../../../components/hosts/local-vm/vm-store.ts";
import { hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { local } from "../../../stacks/local.ts";
import type { PulumiCli } from "../../../tools/pulumi/get-cli.ts";
import { ROOT_USER, describeWith, program } from "../../helpers/needs.ts";
import { PULUMI, pulumiCli } from "../../helpers/pulumi-cli.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../../..");

/** A machine of this test's own, beside the one that `npm run local` may have up. */
const POOL = "engine-test";
const MACHINE = `${POOL}-0`;

describe("readEvent()", () => {
  const event = (fields: Partial<EngineEvent>): EngineEvent => ({ sequence: 1, timestamp: 0, ...fields });
  const urn = "urn:pulumi:local::bedplate::bedplate:index:LocalVm::lab-0";
  const diagnostic = (severity: string, message: string) =>
    event({
      diagnosticEvent: { urn, message, severity, color: "never" } as NonNullable<
        EngineEvent["diagnosticEvent"]
      >,
    });

  test("tells people what a machine's provider says, without the engine's colour marks", () => {
    expect(readEvent(diagnostic("info", "<{%fg 2%}>boot: waiting<{%reset%}>\n"))).toEqual({
      progress: { resource: "lab-0", message: "boot: waiting" },
    });
  });

  test("keeps errors for the end and never shows the engine's debugging", () => {
    expect(readEvent(diagnostic("error", "QEMU ended"))).toEqual({ error: "lab-0: QEMU ended" });
    expect(readEvent(diagnostic("debug", "RegisterResource RPC prepared"))).toEqual({});
    expect(readEvent(event({ summaryEvent: {} as NonNullable<EngineEvent["summaryEvent"]> }))).toEqual({});
  });
});

describe("isLeftByDead()", () => {
  const lock = (host: string, pid: number) =>
    `error: the stack is currently locked by 1 lock(s).\n  file:///state/.json: created by me@${host} (pid ${pid}) at 2026-11-20T17:31:50Z`;
  const gone = spawnSync("true").pid;

  test("takes the lock of a process of this machine that is gone", () => {
    expect(isLeftByDead(lock(hostname(), gone))).toBe(true);
  });

  test("never takes the lock of a run that lives, of another machine, or one that it cannot read", () => {
    expect(isLeftByDead(lock(hostname(), process.pid))).toBe(false);
    expect(isLeftByDead(`${lock(hostname(), gone)}\n${lock(hostname(), process.pid)}`)).toBe(false);
    expect(isLeftByDead(lock("elsewhere.example.com", gone))).toBe(false);
    expect(isLeftByDead("error: the stack is currently locked")).toBe(false);
  });
});

describeWith(
  [PULUMI, ROOT_USER, program("qemu-system-x86_64", "apt-get install qemu-system-x86")],
  "the local environment on the real engine",
  () => {
    // Software emulation on a machine that runs other machines: a boot takes from 10 s to some minutes.
    vi.setConfig({ testTimeout: 1_200_000, hookTimeout: 1_800_000 });

    let folder: string;
    let cli: PulumiCli;
    let up: LocalUp;
    const heard: EngineProgress[] = [];
    const args = (environment: string) => ({
      cli,
      folder: path.join(folder, "engine"),
      config: {
        environmentFile: path.join(folder, `${environment}.yaml`),
        archiveManifest: path.join(folder, "archives.json"),
      },
      progress: (event: EngineProgress) => void heard.push(event),
    });
    const [pool] = local.hostPools;

    beforeAll(async () => {
      cli = pulumiCli();
      folder = mkdtempSync(path.join(tmpdir(), "bedplate-run-engine-"));
      const small = {
        ...local,
        name: "engine-test",
        hostPools: [{ ...pool, name: POOL, needs: { vcpus: 2, memoryGiB: 1, numaNodes: 1 } }],
      };
      const wider = {
        ...small,
        hostPools: [{ ...small.hostPools[0], needs: { vcpus: 3, memoryGiB: 1, numaNodes: 1 } }],
      };
      writeFileSync(path.join(folder, "small.yaml"), stringify(small));
      writeFileSync(path.join(folder, "wider.yaml"), stringify(wider));
      // The real archives, but the same ones throughout: a source that is edited meanwhile would be a new machine.
      const archives = await buildHostArchives(new Set(["x86_64"]));
      writeFileSync(path.join(folder, "archives.json"), JSON.stringify(archives));
      up = await upLocal(args("small"));
    });

    afterAll(async () => {
      await destroyLocal(args("small"));
      rmSync(folder, { recursive: true, force: true });
    });

    test("makes the machine, tells its phases, and returns where it answers and what its agent did", async () => {
      expect(up.changes).toEqual({ create: 4 });
      const [machine] = up.machines;
      expect(machine).toMatchObject({ name: MACHINE, address: "127.0.0.1" });
      const health = await fetch(new URL("/healthz", machine?.serviceUrl), {
        signal: AbortSignal.timeout(60_000),
      });
      expect(health.status).toBe(200);
      const report = hostReportSchema.parse(JSON.parse(readFileSync(machine?.reportPath ?? "", "utf8")));
      expect(report.counts.failed).toBe(0);
      const phases = heard.filter((event) => event.resource === MACHINE).map((event) => event.message);
      expect(phases).toContain("create begins");
      expect(phases.some((message) => message.startsWith("boot: "))).toBe(true);
      expect(phases.some((message) => message.startsWith(`${MACHINE} is up: `))).toBe(true);
    });

    test("never gives the machine to another stack, which would bring it up as its own", async () => {
      const taken = claimStateDir(defaultStateDir(MACHINE), "bedplate/another");
      await expect(taken).rejects.toThrow("belongs to stack bedplate/local");
    });

    test("finds nothing to change afterwards, in a preview and in an up", async () => {
      expect(await previewLocal(args("small"))).toEqual({ same: 4 });
      const again = await upLocal(args("small"));
      expect(again.changes).toEqual({ same: 4 });
      expect(again.machines).toEqual(up.machines);
      expect(await readLocalOutputs(args("small"))).toMatchObject({ serviceUrls: up.serviceUrls });
    });

    test("previews a wider machine as an update in place", async () => {
      expect(await previewLocal(args("wider"))).toEqual({ update: 1, same: 3 });
    });

    test("brings a machine back that was cut off", async () => {
      const vm = await openVm(defaultStateDir(MACHINE));
      await vm.kill();
      const healed = await upLocal(args("small"));
      expect(healed.changes).toEqual({ update: 1, same: 3 });
      expect((await describeVm(defaultStateDir(MACHINE)))?.isRunning).toBe(true);
    });

    test("destroy leaves no process, no file and no state", async () => {
      await destroyLocal(args("small"));
      expect(existsSync(defaultStateDir(MACHINE))).toBe(false);
      expect(existsSync(path.join(folder, "engine"))).toBe(false);
      expect(readdirSync(folder).toSorted()).toEqual(["archives.json", "small.yaml", "wider.yaml"]);
      const processes = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
      expect(processes.split("\n").filter((line) => line.includes(`bedplate-${MACHINE}`))).toEqual([]);
      expect(await readLocalOutputs(args("small"))).toBeUndefined();
    });
  },
);

test("the provider's wrapper is executable, as the engine starts it by its path", () => {
  const wrapper = path.join(REPOSITORY, "components/provider/plugin/pulumi-resource-bedplate");
  expect(() => execFileSync("test", ["-x", wrapper])).not.toThrow();
});
