import type {
  CheckResult,
  CreateResult,
  ReadResult,
  UpdateResult,
} from "@pulumi/pulumi/provider/provider.js";
import * as z from "zod";
import { InputError, messageOf } from "../../host-tuning/errors.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import type { HostChanges } from "../hosts/ssh/host-changes.ts";
import { Lanes } from "../hosts/ssh/lanes.ts";
import { readChanges, readTunedState } from "../hosts/ssh/look-at-host.ts";
import { removeFromHost } from "../hosts/ssh/remove-from-host.ts";
import { HostError, withConnection } from "../hosts/ssh/ssh-connection.ts";
import { TuningFailed, tuneHost } from "../hosts/ssh/tune-host.ts";
import { type TunedHostSpec, tunedHostSpecSchema } from "../hosts/ssh/tuned-host-spec.ts";
import type { Properties, ResourceDiff, ResourceKind } from "./bedplate-provider.ts";
import { changedPaths } from "./changed-paths.ts";
import type { EngineLog } from "./engine-log.ts";
import { type TunedHostOutputs, outputsOfBegun, outputsOfState } from "./tuned-host-outputs.ts";
import { hasUnknown } from "./unknown-values.ts";

/** How many hosts are looked at at a time: a look is mostly waiting, and each has an ssh process or two. */
const LOOKS_AT_A_TIME = 32;

/** What a look found: changes, or why there is none to tell. */
interface Look {
  readonly changes: HostChanges;
  readonly problem: string | undefined;
}

/**
 * An up that did not end well on a host where it had begun. The engine keeps the host in its state, marked as not ready:
 * the next up goes on from there, and a destroy takes back what was done.
 */
class HostNotTuned extends Error {
  override readonly name = "HostNotTuned";
  readonly id: string;
  readonly properties: Properties;
  readonly reasons: readonly string[];

  constructor(properties: TunedHostOutputs, cause: unknown) {
    super(`Cannot tune ${properties.name}: ${messageOf(cause)}`, { cause });
    this.id = properties.name;
    this.properties = { ...properties };
    this.reasons = [messageOf(cause)];
  }
}

/**
 * `bedplate:index:TunedHost` as the engine sees it. What a preview shows is the agent's own plan, made on the host: `check`
 * asks for it and adds it to the inputs, where people see both values of every knob.
 *
 * The engine checks one resource after the other, and a thousand hosts would be looked at one by one. So a program may name
 * its hosts beforehand with `lookAhead`, which begins all of them; each check then takes what was found.
 */
export class TunedHostResource implements ResourceKind {
  readonly #log: EngineLog;
  readonly #lanes = new Lanes(LOOKS_AT_A_TIME);
  readonly #ahead = new Map<string, Promise<Look>>();

  constructor(log: EngineLog) {
    this.#log = log;
  }

  /** The function `bedplate:index:lookAhead`: returns at once, and answers with how many looks have begun. */
  lookAhead = (args: Properties, signal: AbortSignal): Promise<Properties> => {
    const { hosts, common } = parseContract(lookAheadSchema, args, "lookAhead");
    for (const host of hosts) {
      const spec = parseContract(tunedHostSpecSchema, { ...common, ...host }, "lookAhead");
      const key = JSON.stringify(spec);
      if (!this.#ahead.has(key)) this.#ahead.set(key, this.#look(spec, signal));
    }
    return Promise.resolve({ begun: hosts.length });
  };

  async check(news: Properties, urn: string, signal: AbortSignal): Promise<CheckResult> {
    if (hasUnknown(news)) return { inputs: news };
    let spec: TunedHostSpec;
    try {
      spec = parseContract(tunedHostSpecSchema, news, "TunedHost");
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
      return {
        inputs: news,
        failures: error.faults.map((fault) => ({ property: fault.path, reason: fault.message })),
      };
    }
    const { changes, problem } = await this.#takeLook(spec, urn, signal);
    signal.throwIfAborted();
    if (problem !== undefined) {
      this.#log.warning(urn, `what would change there is not known: ${problem}`);
      return { inputs: { ...spec, plan: { "not known": problem } } };
    }
    if (Object.keys(changes).length > 0) this.#log.message(urn, renderChanges(changes));
    return { inputs: { ...spec, plan: changes } };
  }

  /**
   * A host keeps its identity while its key or its address stays: a new key at the same address is the same machine
   * reinstalled, a new address with the same key the same machine moved. With both new it is another machine: the old one
   * is put back as it was, and the new one made.
   */
  diff(olds: Properties, news: Properties): ResourceDiff {
    if (hasUnknown(news)) return { changes: true };
    const after = parseContract(tunedHostSpecSchema, without(news, "plan"), "TunedHost");
    const before = specIn(olds);
    if (before === undefined) return { changes: true };
    const isOther =
      before.name !== after.name ||
      (before.target.hostKey !== after.target.hostKey && before.target.address !== after.target.address);
    const details = {
      ...changedPaths(comparable(before), comparable(after)),
      ...Object.fromEntries(
        Object.keys((news["plan"] ?? {}) as HostChanges).map((key) => [
          `plan[${JSON.stringify(key)}]`,
          "add" as const,
        ]),
      ),
      ...(olds["isTuned"] === false ? { isTuned: "delete" as const } : {}),
      ...(olds["problem"] === "" ? {} : { problem: "delete" as const }),
    };
    return {
      changes: Object.keys(details).length > 0,
      replaces: isOther ? ["target"] : [],
      deleteBeforeReplace: true,
      details,
    };
  }

  async create(urn: string, inputs: Properties, signal: AbortSignal): Promise<CreateResult> {
    const outs = await this.#tune(urn, inputs, undefined, signal);
    return { id: outs.name, outs };
  }

  async update(
    urn: string,
    inputs: Properties,
    signal: AbortSignal,
    olds: Properties,
  ): Promise<UpdateResult> {
    return { outs: await this.#tune(urn, inputs, specIn(olds), signal) };
  }

  /** Every value read back on the host. A host that does not answer keeps what was known, marked so; one without an agent is gone. */
  async read(id: string, properties: Properties, urn: string, signal: AbortSignal): Promise<ReadResult> {
    const spec = specIn(properties);
    if (spec === undefined) {
      throw new Error(
        `Cannot import ${id}: a tuned host is made by its environment, which knows how to reach it`,
      );
    }
    const inputs = { ...spec, plan: {} };
    try {
      const state = await this.#lanes.run(() =>
        withConnection(spec.target, signal, (connection) => readTunedState(connection, spec)),
      );
      if (state === undefined) return {};
      return { id, props: { ...outputsOfState(spec, state), isTuned: properties["isTuned"] }, inputs };
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      this.#log.warning(urn, `not refreshed: ${error.message}`);
      return { id, props: { ...properties, problem: error.message }, inputs };
    }
  }

  async delete(urn: string, properties: Properties, signal: AbortSignal): Promise<void> {
    const spec = parseContract(tunedHostSpecSchema, ownOf(properties), `state of ${urn}`);
    const say = (message: string) => this.#log.status(urn, message);
    try {
      const { needsReboot } = await removeFromHost({ spec, signal, say });
      if (needsReboot)
        this.#log.message(urn, `${spec.name}: its boot arguments are back with its next reboot`);
    } catch (error) {
      if (!(error instanceof HostError)) throw error;
      const forget = `If the machine is no more, forget it: pulumi state delete '${urn}'`;
      throw new Error(`Cannot put ${spec.name} back as it was: ${error.message}. ${forget}`, {
        cause: error,
      });
    }
  }

  async #tune(
    urn: string,
    inputs: Properties,
    before: TunedHostSpec | undefined,
    signal: AbortSignal,
  ): Promise<TunedHostOutputs> {
    const spec = parseContract(tunedHostSpecSchema, without(inputs, "plan"), "TunedHost");
    const startedAt = performance.now();
    let hasBegun = false;
    try {
      const state = await tuneHost({
        spec,
        ...(before === undefined ? {} : { before }),
        signal,
        say: (message) => this.#log.status(urn, message),
        onBegin: () => {
          hasBegun = true;
        },
      });
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      this.#log.message(urn, `${spec.name} is tuned in ${seconds} s: ${renderCounts(state.report.counts)}`);
      return outputsOfState(spec, state);
    } catch (error) {
      if (error instanceof TuningFailed) throw new HostNotTuned(outputsOfState(spec, error.state), error);
      if (hasBegun) throw new HostNotTuned(outputsOfBegun(spec), error);
      throw error;
    }
  }

  async #takeLook(spec: TunedHostSpec, urn: string, signal: AbortSignal): Promise<Look> {
    const key = JSON.stringify(spec);
    const ahead = this.#ahead.get(key);
    // Once: a later check wants to know how the host is then.
    this.#ahead.delete(key);
    if (ahead !== undefined) return ahead;
    this.#log.status(urn, "asking its agent for a plan");
    return this.#look(spec, signal);
  }

  /** Never fails for the host's sake: a preview of many hosts goes on where one of them is down. */
  #look(spec: TunedHostSpec, signal: AbortSignal): Promise<Look> {
    return this.#lanes
      .run(() => withConnection(spec.target, signal, (connection) => readChanges(connection, spec)))
      .then(
        (changes) => ({ changes, problem: undefined }),
        (error: unknown) => ({ changes: {}, problem: messageOf(error) }),
      );
  }
}

/** What all hosts have in common is sent once: a profile is a page, and there may be a thousand hosts. */
const lookAheadSchema = z.strictObject({
  common: tunedHostSpecSchema.omit({ name: true, target: true }),
  hosts: z.array(tunedHostSpecSchema.pick({ name: true, target: true })),
});

/** The spec among a resource's properties; undefined where there is none that this version understands. */
function specIn(properties: Properties): TunedHostSpec | undefined {
  return tunedHostSpecSchema.safeParse(ownOf(properties)).data;
}

function ownOf(properties: Properties): Properties {
  return Object.fromEntries(
    Object.keys(tunedHostSpecSchema.shape).flatMap((key) =>
      key in properties ? [[key, properties[key]]] : [],
    ),
  );
}

function without(properties: Properties, key: string): Properties {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name !== key));
}

/** Where an archive lies on this machine says nothing: its digest is what it is. */
function comparable({ agent, service, ...spec }: TunedHostSpec): Properties {
  return {
    ...spec,
    agent: { sha256: agent.sha256 },
    ...(service === undefined
      ? {}
      : { service: { archive: { sha256: service.archive.sha256 }, settings: service.settings } }),
  };
}

function renderChanges(changes: HostChanges): string {
  const lines = Object.entries(changes).map(([what, change]) => `  ${what}: ${change}`);
  return [`${lines.length} to change`, ...lines].join("\n");
}

function renderCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .filter(([, count]) => count > 0)
    .map(([outcome, count]) => `${count} ${outcome}`)
    .join(", ");
}
