import { cpus, loadavg } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { agentArtifact, installAgent } from "../../components/hosts/local-vm/agent-in-vm.ts";
import { bringUp, type LocalVm, openVm, tearDown } from "../../components/hosts/local-vm/local-vm.ts";
import type { ImageOptions, LocalVmSpecInput } from "../../components/hosts/local-vm/vm-spec.ts";
import { agentVersion } from "../../host-tuning/agent-version.ts";
import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type HostReport, hostReportSchema } from "../../host-tuning/report/host-report.ts";
import type { AgentBench, ContenderResult, Sample } from "./agent-bench.ts";
import {
  type Contender,
  FAMILIES,
  NOT_MEASURED,
  ROLL_BACK,
  SAME_SETTINGS_PROFILE,
  type Step,
  TUNED_LOG,
  TUNED_UNIT,
} from "./contenders.ts";
import {
  changedValues,
  type KernelValues,
  parseKernelValues,
  READ_KERNEL_VALUES,
  renderWrites,
  steadyValues,
  WRITE_KERNEL_VALUES,
} from "./kernel-values.ts";
import { LIST_PROCESSES, residentsOf } from "./residents.ts";
import { sameSettingsProfile } from "./same-settings.ts";
import { MEASURE_SCRIPT, MeasurementError, parseProperties, sampleOf } from "./unit-measurement.ts";

/** Longest that one command may take in the guest. */
const COMMAND_MILLIS = 300_000;

/** The guest's own work after a boot (cloud-init's end, udev) would be in the first numbers. */
const SETTLE_MILLIS = 10_000;

export interface BenchOptions {
  readonly rounds: number;
  readonly suite: ImageOptions["suite"];
  /** Where the VM lives while it runs; removed afterwards. */
  readonly stateDir: string;
  readonly progress: (message: string) => void;
  readonly signal: AbortSignal;
}

/** What the round before the first tells of a contender. */
type Effect = Pick<ContenderResult, "changedFiles" | "checkedSettings" | "leftBehind" | "residents"> & {
  /** Kernel files that it cannot put back itself, with the text from before. */
  readonly originals: KernelValues;
};

/**
 * Starts a VM, measures every contender in it round by round, and removes it.
 *
 * @throws {MeasurementError} when a measured command fails: there is no number then
 * @throws {LocalVmError} when the VM cannot be had
 */
export async function runBench(options: BenchOptions): Promise<AgentBench> {
  const { stateDir, progress, signal } = options;
  const startedAt = new Date();
  const loadBefore = loadavg()[0] ?? 0;
  const spec: LocalVmSpecInput = {
    name: "bench-agent",
    userData: "#cloud-config\n",
    artifacts: [await agentArtifact()],
    image: { suite: options.suite, extraPackages: ["time", "tuned"] },
  };
  try {
    const up = await bringUp(spec, {
      stateDir,
      signal,
      progress: ({ phase, message }) => progress(`${phase}: ${message}`),
    });
    const guest = new Guest(await openVm(stateDir), signal);
    progress("installing the agent, turning TuneD off");
    await installAgent(guest.vm, { preset: "throughput" });
    await guest.shell(
      `systemctl disable --quiet ${TUNED_UNIT}; systemctl start ${TUNED_UNIT}; tuned-adm off`,
    );
    await guest.shell(`systemctl stop ${TUNED_UNIT}; rm -f ${TUNED_LOG}`);
    await guest.writeSameSettingsProfile();
    await sleep(SETTLE_MILLIS, undefined, { signal });
    const measured = await measureRounds(guest, options);
    return {
      kind: "AgentBench",
      measuredAt: startedAt.toISOString(),
      durationSeconds: Math.round((Date.now() - startedAt.getTime()) / 1000),
      rounds: options.rounds,
      machine: {
        cpuModel: cpus()[0]?.model ?? "unknown",
        cpuCount: cpus().length,
        accelerator: up.accelerator,
        loadBefore,
        loadByRound: measured.loadByRound,
      },
      guest: {
        debianRelease: options.suite,
        ...(await guest.versions()),
        cpuCount: up.spec.cpus,
        memoryMiB: up.spec.memoryMiB,
      },
      agent: { version: agentVersion, archiveSha256: up.spec.artifacts[0]?.sha256 ?? "" },
      contenders: measured.contenders,
      notMeasured: [...NOT_MEASURED],
    };
  } finally {
    await tearDown(stateDir);
  }
}

async function measureRounds(
  guest: Guest,
  { rounds, progress }: BenchOptions,
): Promise<Pick<AgentBench, "contenders"> & Pick<AgentBench["machine"], "loadByRound">> {
  const contenders = FAMILIES.flat();
  const effects = new Map<string, Effect>();
  for (const contender of contenders) {
    progress(`round 0 of ${rounds}: ${contender.title}`);
    effects.set(contender.id, await guest.findEffect(contender));
  }
  const samples = new Map<Step, Sample[]>(contenders.flatMap(({ steps }) => steps.map((step) => [step, []])));
  const loadByRound: number[] = [];
  for (let round = 0; round < rounds; round++) {
    loadByRound.push(loadavg()[0] ?? 0);
    for (const contender of rotated(FAMILIES, round).flat()) {
      progress(`round ${round + 1} of ${rounds}: ${contender.title}`);
      for (const [step, sample] of await guest.runContender(contender)) samples.get(step)?.push(sample);
      await guest.restore(contender, effects.get(contender.id)?.originals);
    }
  }
  return {
    loadByRound,
    contenders: contenders.map((contender): ContenderResult => {
      const effect = effects.get(contender.id);
      return {
        id: contender.id,
        title: contender.title,
        steps: contender.steps.map((step) => ({
          name: step.name,
          command: step.command.join(" "),
          samples: samples.get(step) ?? [],
        })),
        changedFiles: effect?.changedFiles ?? 0,
        checkedSettings: effect?.checkedSettings ?? null,
        leftBehind: effect?.leftBehind ?? [],
        residents: effect?.residents ?? [],
      };
    }),
  };
}

/** The list that begins with another member each time. */
function rotated<T>(list: readonly T[], by: number): T[] {
  const first = by % list.length;
  return [...list.slice(first), ...list.slice(0, first)];
}

/** The step's unit in the guest, by which its output is kept until the step runs again. */
function unitOf({ name }: Step): string {
  return `bench${name.replaceAll(" ", "")}`;
}

function reportOf(json: string): HostReport {
  return parseContract(hostReportSchema, JSON.parse(json), "the agent's report");
}

/** The VM, as the bench works with it. */
class Guest {
  readonly vm: LocalVm;
  readonly #signal: AbortSignal;

  constructor(vm: LocalVm, signal: AbortSignal) {
    this.vm = vm;
    this.#signal = signal;
  }

  /** Output of shell lines. @throws {MeasurementError} when they fail */
  async shell(command: string, input?: string): Promise<string> {
    this.#signal.throwIfAborted();
    const result = await this.vm.ssh(command, {
      timeoutMillis: COMMAND_MILLIS,
      ...(input === undefined ? {} : { input }),
    });
    if (result.exitCode === 0) return result.stdout;
    throw new MeasurementError(
      `Cannot go on: "${command}" in the VM ended with ${result.exitCode}: ${result.stderr.trim().slice(-1000)}`,
    );
  }

  /** Prepares, runs and measures every step. */
  async runContender({ prepare, steps, daemon, title }: Contender): Promise<[Step, Sample][]> {
    if (prepare !== undefined) await this.shell(prepare);
    const measured: [Step, Sample][] = [];
    for (const step of steps) {
      const unit = unitOf(step);
      const command = `DAEMON=${daemon ?? ""} sh -s -- ${unit} ${step.command.join(" ")}`;
      const printed = await this.shell(command, MEASURE_SCRIPT);
      try {
        measured.push([step, sampleOf(parseProperties(printed))]);
      } catch (cause) {
        if (!(cause instanceof MeasurementError)) throw cause;
        const said = await this.shell(`tail -n 20 /run/${unit}.out /run/${unit}.err`);
        throw new MeasurementError(`Cannot measure ${title}, ${step.name}: ${cause.message}\n${said}`, {
          cause,
        });
      }
    }
    return measured;
  }

  /** Takes everything back; `originals` are what the contender has no means for. */
  async restore({ restore }: Contender, originals: KernelValues | undefined): Promise<void> {
    if (restore !== undefined) await this.shell(restore);
    if (originals !== undefined && originals.size > 0) {
      await this.shell(WRITE_KERNEL_VALUES, renderWrites(originals));
    }
  }

  /** Runs a contender once, to see what it does to the host. Fills the caches as a side effect. */
  async findEffect(contender: Contender): Promise<Effect> {
    const before = steadyValues(await this.#kernelValues(), await this.#kernelValues());
    const processesBefore = await this.shell(LIST_PROCESSES);
    await this.runContender(contender);
    const changed = changedValues(before, await this.#kernelValues());
    const residents = residentsOf(processesBefore, await this.shell(LIST_PROCESSES));
    const checkedSettings = await this.#countChecked(contender);
    await this.restore(contender, undefined);
    const leftBehind = changedValues(before, await this.#kernelValues());
    const originals = new Map([...leftBehind].filter(([path]) => changed.has(path)));
    await this.restore({ ...contender, restore: "true" }, originals);
    return {
      changedFiles: changed.size,
      checkedSettings,
      leftBehind: [...originals.keys()],
      residents,
      originals,
    };
  }

  async #kernelValues(): Promise<KernelValues> {
    return parseKernelValues(await this.shell(READ_KERNEL_VALUES));
  }

  async #countChecked({ checked, steps }: Contender): Promise<number | null> {
    if (checked === undefined) return null;
    if (checked === "tuned-log") return Number(await this.shell(`grep -c 'verify: passed' ${TUNED_LOG}`));
    const verify = steps.find(({ name }) => name === "verify");
    if (verify === undefined) return null;
    const report = reportOf(await this.shell(`cat /run/${unitOf(verify)}.out`));
    return report.entries.filter((entry) => entry.isVerified).length;
  }

  /** Learns from an apply of the preset which knobs TuneD has not. */
  async writeSameSettingsProfile(): Promise<void> {
    const full = reportOf(await this.shell(`${HOST_PATHS.command} apply --json`));
    await this.shell(ROLL_BACK);
    const profile = sameSettingsProfile(full, this.vm.state.spec.memoryMiB);
    await this.shell(`cat > ${SAME_SETTINGS_PROFILE}`, JSON.stringify(profile));
  }

  async versions(): Promise<
    Pick<
      AgentBench["guest"],
      "kernelRelease" | "systemdVersion" | "tunedVersion" | "pythonVersion" | "nodeVersion"
    >
  > {
    const text = await this.shell(`echo kernelRelease=$(uname -r)
echo systemdVersion=$(dpkg-query -W -f '\${Version}' systemd)
echo tunedVersion=$(dpkg-query -W -f '\${Version}' tuned)
echo pythonVersion=$(python3 -c 'import platform; print(platform.python_version())')
echo nodeVersion=$(${HOST_PATHS.node} -p process.versions.node)`);
    const properties = parseProperties(text);
    const versionOf = (name: string): string => properties.get(name) ?? "unknown";
    return {
      kernelRelease: versionOf("kernelRelease"),
      systemdVersion: versionOf("systemdVersion"),
      tunedVersion: versionOf("tunedVersion"),
      pythonVersion: versionOf("pythonVersion"),
      nodeVersion: versionOf("nodeVersion"),
    };
  }
}
