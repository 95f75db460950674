import type {
  CheckResult,
  CreateResult,
  DiffResult,
  Provider,
  ReadResult,
  UpdateResult,
} from "@pulumi/pulumi/provider/provider.js";

export type Properties = Readonly<Record<string, unknown>>;

/** One kind of resource that the provider makes. */
export interface ResourceKind {
  /** The inputs with their defaults, or what is wrong with them. Unknown values are let through. */
  check(news: Properties): CheckResult;
  diff(olds: Properties, news: Properties): DiffResult;
  create(urn: string, inputs: Properties, signal: AbortSignal): Promise<CreateResult>;
  read(id: string, properties: Properties): Promise<ReadResult>;
  update(urn: string, inputs: Properties, signal: AbortSignal): Promise<UpdateResult>;
  delete(urn: string, properties: Properties): Promise<void>;
}

/** Hands each call of the engine to the resource's kind, found by the type in its URN. */
export class BedplateProvider implements Provider {
  readonly version: string;
  readonly #kinds: ReadonlyMap<string, ResourceKind>;
  readonly #stop = new AbortController();

  constructor(version: string, kinds: ReadonlyMap<string, ResourceKind>) {
    this.version = version;
    this.#kinds = kinds;
  }

  check = (urn: string, _olds: Properties, news: Properties): Promise<CheckResult> =>
    Promise.resolve(this.#kindOf(urn).check(news));

  diff = (_id: string, urn: string, olds: Properties, news: Properties): Promise<DiffResult> =>
    Promise.resolve(this.#kindOf(urn).diff(olds, news));

  create = (urn: string, inputs: Properties): Promise<CreateResult> =>
    this.#kindOf(urn).create(urn, inputs, this.#stop.signal);

  read = (id: string, urn: string, properties: Properties = {}): Promise<ReadResult> =>
    this.#kindOf(urn).read(id, properties);

  update = (_id: string, urn: string, _olds: Properties, news: Properties): Promise<UpdateResult> =>
    this.#kindOf(urn).update(urn, news, this.#stop.signal);

  delete = (_id: string, urn: string, properties: Properties): Promise<void> =>
    this.#kindOf(urn).delete(urn, properties);

  /** The engine was told to stop: a bring-up that waits for a machine stops waiting. */
  cancel = (): Promise<void> => {
    this.#stop.abort(new Error("The engine was told to stop"));
    return Promise.resolve();
  };

  #kindOf(urn: string): ResourceKind {
    const type = urn.split("::")[2]?.split("$").at(-1) ?? "";
    const kind = this.#kinds.get(type);
    if (kind === undefined) {
      throw new Error(`Cannot make ${type}: this provider has ${[...this.#kinds.keys()].join(", ")}`);
    }
    return kind;
  }
}
