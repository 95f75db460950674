import type { HostFacts } from "../../host-tuning/facts/host-facts.ts";
import type { HostReport } from "../../host-tuning/report/host-report.ts";
import type { TunedState } from "../hosts/ssh/look-at-host.ts";
import type { HostChanges } from "../hosts/ssh/host-changes.ts";
import type { TunedHostSpec } from "../hosts/ssh/tuned-host-spec.ts";

/** What a host is, in a few lines: the whole of it is on the host, `bedplate facts`. */
export interface HostSummary {
  readonly hostname: string | null;
  readonly distribution: string | null;
  readonly kernelRelease: string | null;
  readonly architecture: string;
  readonly virtualization: string;
  readonly cpuModel: string | null;
  readonly logicalCpus: number;
  readonly numaNodes: number;
  readonly memoryBytes: number;
  readonly nics: readonly string[];
  readonly disks: readonly string[];
  readonly gpus: readonly string[];
}

/** What became of the last apply or verify: the whole of it is on the host, `/var/lib/bedplate/report.json`. */
export interface ReportSummary {
  readonly verb: HostReport["verb"];
  readonly agentVersion: string;
  readonly startedAt: string;
  readonly durationMillis: number;
  readonly counts: HostReport["counts"];
  /** By knob and target, with the reason. */
  readonly failed: Readonly<Record<string, string>>;
  readonly needsReboot: readonly string[];
  readonly drifted: readonly string[];
}

/** Outputs of a host over its inputs. */
export interface TunedHostOutputs extends TunedHostSpec {
  /** Always empty: what an up would change is among a preview's inputs. */
  readonly plan: HostChanges;
  readonly machineId: string;
  readonly isTuned: boolean;
  readonly problem: string;
  readonly facts: HostSummary | null;
  readonly report: ReportSummary | null;
  readonly settings: Readonly<Record<string, string>>;
}

/** A host on which an up has begun and of which nothing is known yet. */
export function outputsOfBegun(spec: TunedHostSpec): TunedHostOutputs {
  return {
    ...spec,
    plan: {},
    machineId: "",
    isTuned: false,
    problem: "",
    facts: null,
    report: null,
    settings: {},
  };
}

export function outputsOfState(spec: TunedHostSpec, state: TunedState): TunedHostOutputs {
  return {
    ...outputsOfBegun(spec),
    machineId: state.look.machineId,
    isTuned: state.report.counts.failed === 0,
    facts: summaryOfFacts(state.facts),
    report: summaryOfReport(state.report),
    settings: Object.fromEntries(
      state.report.entries.flatMap(({ key, wanted, found }) =>
        wanted === null || found === null ? [] : [[key, found]],
      ),
    ),
  };
}

function summaryOfFacts(facts: HostFacts): HostSummary {
  const named = (name: string, what: string | null) => (what === null ? name : `${name} (${what})`);
  return {
    hostname: facts.hostname,
    distribution: facts.distribution?.prettyName ?? null,
    kernelRelease: facts.kernel.release,
    architecture: facts.architecture,
    virtualization: facts.virtualization.kind,
    cpuModel: facts.cpu.model,
    logicalCpus: facts.cpu.cpus.length,
    numaNodes: facts.numa.nodes.length,
    memoryBytes: facts.memory.totalBytes,
    nics: facts.nics
      .filter((nic) => nic.isPhysical && !nic.isVirtualFunction)
      .map((nic) => named(nic.name, nic.driver)),
    disks: facts.blockDevices
      .filter((disk) => !["loop", "ram", "dm"].includes(disk.kind))
      .map((disk) => named(disk.name, disk.model)),
    gpus: facts.gpus.map((gpu) => named(gpu.pciAddress, gpu.model)),
  };
}

function summaryOfReport(report: HostReport): ReportSummary {
  const keysOf = (outcome: string) =>
    report.entries.filter((entry) => entry.outcome === outcome).map((entry) => entry.key);
  return {
    verb: report.verb,
    agentVersion: report.agentVersion,
    startedAt: report.startedAt,
    durationMillis: report.durationMillis,
    counts: report.counts,
    failed: Object.fromEntries(
      report.entries.filter(({ outcome }) => outcome === "failed").map(({ key, because }) => [key, because]),
    ),
    needsReboot: keysOf("needs-reboot"),
    drifted: report.entries.filter((entry) => entry.isDrifted).map((entry) => entry.key),
  };
}
