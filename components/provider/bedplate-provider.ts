import type {
  CheckResult,
  CreateResult,
  DiffResult,
  ReadResult,
  UpdateResult,
} from "@pulumi/pulumi/provider/provider.js";

export type Properties = Readonly<Record<string, unknown>>;

/** A diff, and what of it people are shown: without details the engine compares the inputs by itself. */
export interface ResourceDiff extends DiffResult {
  /** By property path as Pulumi writes it: `profile.workload.streams`, `plan["net.core.somaxconn"]`. */
  readonly details?: Readonly<Record<string, "add" | "delete" | "update">>;
}

/** One kind of resource that the provider makes. */
export interface ResourceKind {
  /** The inputs with their defaults, or what is wrong with them. Unknown values are let through. */
  check(news: Properties, urn: string, signal: AbortSignal): CheckResult | Promise<CheckResult>;
  /** Of the outputs that the state has against new inputs. */
  diff(olds: Properties, news: Properties): ResourceDiff;
  create(urn: string, inputs: Properties, signal: AbortSignal): Promise<CreateResult>;
  /** What is there now; no id where it is gone. */
  read(id: string, properties: Properties, urn: string, signal: AbortSignal): Promise<ReadResult>;
  update(urn: string, inputs: Properties, signal: AbortSignal, olds: Properties): Promise<UpdateResult>;
  delete(urn: string, properties: Properties, signal: AbortSignal): Promise<void>;
}

/** A function of the provider that a program calls. */
export type ProviderFunction = (args: Properties, signal: AbortSignal) => Promise<Properties>;

export interface BedplateProviderArgs {
  readonly version: string;
  /** By type token, `bedplate:index:LocalVm`. */
  readonly kinds: ReadonlyMap<string, ResourceKind>;
  /** By token. */
  readonly functions?: ReadonlyMap<string, ProviderFunction>;
}

/** Hands each call of the engine to the resource's kind, found by the type in its URN. */
export class BedplateProvider {
  readonly version: string;
  readonly #kinds: ReadonlyMap<string, ResourceKind>;
  readonly #functions: ReadonlyMap<string, ProviderFunction>;
  readonly #stop = new AbortController();

  constructor({ version, kinds, functions = new Map() }: BedplateProviderArgs) {
    this.version = version;
    this.#kinds = kinds;
    this.#functions = functions;
  }

  async check(urn: string, news: Properties): Promise<CheckResult> {
    return await this.#kindOf(urn).check(news, urn, this.#stop.signal);
  }

  diff(urn: string, olds: Properties, news: Properties): ResourceDiff {
    return this.#kindOf(urn).diff(olds, news);
  }

  create(urn: string, inputs: Properties): Promise<CreateResult> {
    return this.#kindOf(urn).create(urn, inputs, this.#stop.signal);
  }

  read(id: string, urn: string, properties: Properties): Promise<ReadResult> {
    return this.#kindOf(urn).read(id, properties, urn, this.#stop.signal);
  }

  update(urn: string, olds: Properties, news: Properties): Promise<UpdateResult> {
    return this.#kindOf(urn).update(urn, news, this.#stop.signal, olds);
  }

  delete(urn: string, properties: Properties): Promise<void> {
    return this.#kindOf(urn).delete(urn, properties, this.#stop.signal);
  }

  invoke(token: string, args: Properties): Promise<Properties> {
    const called = this.#functions.get(token);
    if (called === undefined) {
      throw new Error(`Cannot call ${token}: this provider has ${listOf(this.#functions.keys())}`);
    }
    return called(args, this.#stop.signal);
  }

  /** The engine was told to stop: whatever waits for a machine stops waiting. */
  cancel(): void {
    this.#stop.abort(new Error("The engine was told to stop"));
  }

  #kindOf(urn: string): ResourceKind {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const kind = this.#kinds.get(type);
    if (kind === undefined) {
      throw new Error(`Cannot make ${type}: this provider has ${listOf(this.#kinds.keys())}`);
    }
    return kind;
  }
}

function listOf(names: Iterable<string>): string {
  return [...names].join(", ") || "none";
}
