import type {
  CheckResult,
  CreateResult,
  ReadResult,
  UpdateResult,
} from "@pulumi/pulumi/provider/provider.js";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { bringUp, defaultStateDir, describe, tearDown } from "../hosts/local-vm/local-vm.ts";
import { type LocalVmSpec, localVmSpecSchema, replacedFor } from "../hosts/local-vm/vm-spec.ts";
import type { LocalVmBringUp, LocalVmState } from "../hosts/local-vm/vm-state.ts";
import { claimStateDir, reportPathIn } from "../hosts/local-vm/vm-store.ts";
import type { Properties, ResourceDiff, ResourceKind } from "./bedplate-provider.ts";
import { changedPaths } from "./changed-paths.ts";
import type { EngineLog } from "./engine-log.ts";
import { hasUnknown } from "./unknown-values.ts";

/** Outputs of a machine over its inputs. */
export interface LocalVmOutputs extends LocalVmSpec {
  readonly machineId: string;
  readonly stateDir: string;
  readonly isRunning: boolean;
  readonly accelerator: string;
  readonly address: string;
  readonly sshPort: number;
  readonly hostServicePort: number;
  readonly serviceUrl: string;
  readonly reportPath: string;
  readonly phases: LocalVmBringUp["phases"];
}

/**
 * A bring-up that did not end well. The engine keeps the machine in its state, marked as not ready: the next up goes on
 * from there, and a destroy removes what is left of it.
 */
export class MachineNotReady extends Error {
  override readonly name = "MachineNotReady";
  readonly id: string;
  readonly properties: Properties;
  readonly reasons: readonly string[];

  constructor(properties: Properties & { readonly name: string }, cause: unknown) {
    const reason = messageOf(cause);
    super(`Cannot bring up ${properties.name}: ${reason}`, { cause });
    this.id = properties.name;
    this.properties = properties;
    this.reasons = [reason];
  }
}

/** `bedplate:index:LocalVm` as the engine sees it: a machine whose folder is its identity. */
export class LocalVmResource implements ResourceKind {
  readonly #log: EngineLog;

  constructor(log: EngineLog) {
    this.#log = log;
  }

  check(news: Properties): CheckResult {
    if (hasUnknown(news)) return { inputs: news };
    try {
      return { inputs: parseContract(localVmSpecSchema, news, "LocalVm") };
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return {
        inputs: news,
        failures: error.faults.map((fault) => ({ property: fault.path, reason: fault.message })),
      };
    }
  }

  /** Of a machine that is replaced for one change, the others are no reason: they would be taken up by a restart. */
  diff(olds: Properties, news: Properties): ResourceDiff {
    if (hasUnknown(news)) return { changes: true };
    const before = specOf(olds);
    const after = specOf(news);
    const details = {
      ...changedPaths(before, after),
      ...(olds["isRunning"] === false ? { isRunning: "update" as const } : {}),
    };
    return {
      changes: Object.keys(details).length > 0,
      replaces: [...replacedFor(before, after)],
      details,
      // Two machines of one name would share a folder, so the old one goes first.
      deleteBeforeReplace: true,
    };
  }

  async create(urn: string, inputs: Properties, signal: AbortSignal): Promise<CreateResult> {
    const outs = await this.#bringUp(urn, inputs, signal);
    return { id: outs.name, outs };
  }

  async update(urn: string, inputs: Properties, signal: AbortSignal): Promise<UpdateResult> {
    return { outs: await this.#bringUp(urn, inputs, signal) };
  }

  /** What is there now: nothing, a machine that stands still, or one that runs. */
  async read(id: string, properties: Properties): Promise<ReadResult> {
    const state = await describe(stateDirOf(id, properties));
    if (state === undefined) return {};
    const outs = { ...properties, ...outputsOfState(state) };
    return { id, props: outs, inputs: state.spec };
  }

  async delete(urn: string, properties: Properties): Promise<void> {
    const name = String(properties["name"]);
    this.#log.status(urn, "stopping and removing");
    await tearDown(stateDirOf(name, properties));
  }

  async #bringUp(urn: string, inputs: Properties, signal: AbortSignal): Promise<LocalVmOutputs> {
    const spec = parseContract(localVmSpecSchema, inputs, "LocalVm");
    const stateDir = defaultStateDir(spec.name);
    await claimStateDir(stateDir, stackOf(urn)).catch((cause: unknown) => {
      throw new Error(`Cannot bring up ${spec.name}: ${messageOf(cause)}`, { cause });
    });
    const up = await bringUp(spec, {
      stateDir,
      signal,
      progress: ({ phase, message }) => this.#log.status(urn, `${phase}: ${message}`),
    }).catch((cause: unknown) => {
      throw new MachineNotReady({ ...spec, stateDir, isRunning: false }, cause);
    });
    const outputs = outputsOfState(up);
    const took = up.phases.map((phase) => `${phase.name} ${(phase.durationMillis / 1000).toFixed(1)} s`);
    this.#log.message(urn, `${spec.name} is up: ${took.join(", ")}`);
    return { ...outputs, phases: up.phases };
  }
}

function outputsOfState(state: LocalVmState): Omit<LocalVmOutputs, "phases"> {
  return {
    ...state.spec,
    machineId: state.id,
    stateDir: state.stateDir,
    isRunning: state.isRunning,
    accelerator: state.accelerator,
    address: state.address,
    sshPort: state.sshPort,
    hostServicePort: state.servicePort,
    serviceUrl: `http://${state.address}:${state.servicePort}/mcp`,
    reportPath: reportPathIn(state.stateDir),
  };
}

/** `project/stack` of a URN: urn:pulumi:STACK::PROJECT::... */
function stackOf(urn: string): string {
  const [stack = "", project = ""] = urn.slice("urn:pulumi:".length).split("::");
  return `${project}/${stack}`;
}

function stateDirOf(name: string, properties: Properties): string {
  const recorded = properties["stateDir"];
  return typeof recorded === "string" ? recorded : defaultStateDir(name);
}

/**
 * The spec among a resource's properties. Where an artifact lies on this machine is left out: its digest says what it is,
 * and the same archive in another checkout is no change.
 */
function specOf(properties: Properties): LocalVmSpec {
  const keys = Object.keys(localVmSpecSchema.shape);
  const own = Object.fromEntries(keys.flatMap((key) => (key in properties ? [[key, properties[key]]] : [])));
  const spec = parseContract(localVmSpecSchema, own, "LocalVm");
  return { ...spec, artifacts: spec.artifacts.map(({ sha256 }) => ({ path: sha256, sha256 })) };
}
