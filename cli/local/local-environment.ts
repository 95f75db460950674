import { rm } from "node:fs/promises";
import path from "node:path";
import type { Environment, LocalPool } from "../../components/environment/environment-spec.ts";
import { buildHostArchives, type HostArchives } from "../../components/environment/host-archives.ts";
import { hostUserData } from "../../components/environment/host-user-data.ts";
import { loadEnvironment } from "../../components/environment/load-environment.ts";
import { destroyLocal, type LocalMachine, upLocal } from "../../components/environment/run-engine.ts";
import { localVmSpecOf } from "../../components/hosts/local-vm-spec-of.ts";
import { chooseAccelerator } from "../../components/hosts/local-vm/accelerator.ts";
import { ensureLocalImage } from "../../components/hosts/local-vm/local-image.ts";
import {
  artifactUrl,
  bringUp,
  defaultStateDir,
  openVm,
  tearDown,
} from "../../components/hosts/local-vm/local-vm.ts";
import { ensureParts } from "../../components/hosts/local-vm/packages.ts";
import type { LocalVmSpecInput } from "../../components/hosts/local-vm/vm-spec.ts";
import { cacheDir } from "../../components/hosts/local-vm/vm-store.ts";
import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type HostReport, hostReportSchema } from "../../host-tuning/report/host-report.ts";
import { findPulumiCli, getPulumiCli, type NoPulumiCli, type PulumiCli } from "../../tools/pulumi/get-cli.ts";
import type { PhaseClock } from "./phase-clock.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const ENGINE_FOLDER = path.join(REPOSITORY, ".bedplate/engine");

/** One machine that is up: where it answers, and what its agent reported at boot. */
export interface UpMachine {
  readonly name: string;
  readonly serviceUrl: string;
  readonly sshCommand: readonly string[];
  readonly accelerator: string;
  readonly report: HostReport;
}

export interface UpEnvironment {
  readonly environment: Environment;
  /** Which way it was brought up: the real engine, or the same machine code directly, and why. */
  readonly how: {
    readonly kind: "engine" | "direct";
    readonly text: string;
    /** Where the engine was looked for in vain, and what came of it. */
    readonly tried: readonly string[];
  };
  readonly machines: readonly UpMachine[];
}

/** Brings the `local` environment up, building whatever is missing. A second time it finds what is there. */
export async function bringUpLocal(
  clock: PhaseClock,
  options: { readonly direct: boolean },
): Promise<UpEnvironment> {
  const environment = await loadEnvironment("local");
  const pools = environment.hostPools.filter((pool) => pool.where === "local");
  await clock.run("packages", () => ensureParts((message) => clock.say("packages", message)));
  const [cli, archives] = await prepare(clock, pools, options.direct);
  if ("missing" in cli) {
    const text = options.direct
      ? "directly, as asked with --direct: no Pulumi engine, no state"
      : "directly, without the Pulumi engine: it cannot be had here";
    const tried = options.direct ? [] : cli.tried;
    clock.say("direct", `bringing the machines up ${text}`);
    return {
      environment,
      how: { kind: "direct", text, tried },
      machines: await upDirectly(clock, environment, pools, archives),
    };
  }
  const text = `through the Pulumi engine ${cli.version} (${cli.how}), state in files`;
  clock.say("engine", `bringing the stack up ${text}`);
  const up = await clock.run("pulumi up", () =>
    upLocal({
      cli,
      progress: ({ resource, message }) => clock.say(resource === "" ? "engine" : resource, message),
    }),
  );
  const changes = Object.entries(up.changes).map(([operation, count]) => `${count} ${operation}`);
  clock.say("engine", `stack is up: ${changes.join(", ")}`);
  for (const machine of up.machines)
    clock.add(machine.phases.map((phase) => ({ ...phase, name: `  ${machine.name} ${phase.name}` })));
  return {
    environment,
    how: { kind: "engine", text, tried: [] },
    machines: await Promise.all(up.machines.map(machineOf)),
  };
}

/** What does not depend on each other is made side by side: the engine, the image, the archives. */
async function prepare(
  clock: PhaseClock,
  pools: readonly LocalPool[],
  direct: boolean,
): Promise<[PulumiCli | NoPulumiCli, HostArchives]> {
  const architectures = new Set(pools.map((pool) => pool.needs.architecture));
  const [cli, archives] = await Promise.all([
    direct
      ? Promise.resolve({ missing: "not wanted", tried: [] })
      : clock.run("engine", () => getPulumiCli({ progress: (message) => clock.say("engine", message) })),
    clock.run("archives", () => buildHostArchives(architectures)),
    clock.run("image", async () => {
      const image = await ensureLocalImage((message) => clock.say("image", message));
      // Its answer is kept for this boot of the machine, and is there when the first machine starts.
      await chooseAccelerator({ ...image, cacheDir: cacheDir() });
    }),
  ]);
  return [cli, archives];
}

/** The same machines as the stack's, by the same code that the provider calls, one after the other. */
async function upDirectly(
  clock: PhaseClock,
  environment: Environment,
  pools: readonly LocalPool[],
  archives: HostArchives,
): Promise<UpMachine[]> {
  const machines: UpMachine[] = [];
  for (const spec of pools.flatMap((pool) => specsOf(environment, pool, archives))) {
    const up = await clock.run(spec.name, () =>
      bringUp(spec, { progress: ({ phase, message }) => clock.say(phase, message) }),
    );
    clock.add(up.phases.map((phase) => ({ ...phase, name: `  ${phase.name}` })));
    if (up.report === undefined)
      throw new Error(`Cannot read the report of ${spec.name}: its spec names none`);
    machines.push({
      name: up.name,
      serviceUrl: `http://${up.address}:${up.servicePort}/mcp`,
      sshCommand: up.sshCommand,
      accelerator: up.accelerator,
      report: up.report,
    });
  }
  return machines;
}

/** The machines of a pool, as the provider would make them. */
export function specsOf(
  environment: Environment,
  pool: LocalPool,
  archives: HostArchives,
): LocalVmSpecInput[] {
  const agent = archives.agent[pool.needs.architecture];
  if (agent === undefined)
    throw new RangeError(`Cannot make pool ${pool.name}: no agent for ${pool.needs.architecture}`);
  const artifacts = { agent, service: archives.service };
  const userData = hostUserData(environment, pool, artifacts, (artifact) =>
    artifactUrl(artifact.sha256),
  ).text;
  return Array.from({ length: pool.count }, (_, index) =>
    localVmSpecOf(`${pool.name}-${index}`, pool, {
      userData,
      artifacts: Object.values(artifacts),
      servicePort: environment.service.port,
    }),
  );
}

/** The report is read from the machine itself: state may be of an earlier boot. */
async function machineOf(machine: LocalMachine): Promise<UpMachine> {
  const vm = await openVm(machine.stateDir);
  const bytes = await vm.readFile(HOST_PATHS.report);
  if (bytes === undefined)
    throw new Error(`Cannot find ${HOST_PATHS.report} on ${machine.name}: the agent has not run there`);
  const report = parseContract(
    hostReportSchema,
    JSON.parse(bytes.toString("utf8")),
    `report of ${machine.name}`,
  );
  const { name, serviceUrl, accelerator } = machine;
  return { name, serviceUrl, accelerator, sshCommand: vm.state.sshCommand, report };
}

/**
 * Removes every trace of the environment: machines with their processes, disks and keys, and the engine's state. What
 * was built stays for the next time unless `purge` is asked for.
 */
export async function takeDownLocal(clock: PhaseClock, options: { readonly purge: boolean }): Promise<void> {
  const cli = await findPulumiCli();
  if (!("missing" in cli)) {
    await clock.run("pulumi destroy", () =>
      destroyLocal({
        cli,
        progress: ({ resource, message }) => clock.say(resource === "" ? "engine" : resource, message),
      }),
    );
  }
  const environment = await loadEnvironment("local");
  for (const pool of environment.hostPools) {
    for (let index = 0; index < pool.count; index++) await tearDown(defaultStateDir(`${pool.name}-${index}`));
  }
  await rm(ENGINE_FOLDER, { recursive: true, force: true });
  if (options.purge) await rm(path.join(REPOSITORY, ".bedplate"), { recursive: true, force: true });
}
