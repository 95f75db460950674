import { type Caller, OTHERS } from "./caller.ts";

const OTHER_CALLERS: Caller = { tenant: OTHERS, team: OTHERS };

/**
 * Labels of a bounded number of callers: the first ones have their own, all further ones share `other`. Series stay as
 * few as was configured, whatever names an issuer gives, and the calls of all labels add up to all calls.
 */
export class CallerLabels {
  readonly #known = new Map<string, Caller>();
  readonly #maxCallers: number;
  readonly #onNew: (labels: Caller) => void;

  /** @param onNew is told of each label once, before its first use */
  constructor(maxCallers: number, onNew: (labels: Caller) => void) {
    this.#maxCallers = maxCallers;
    this.#onNew = onNew;
  }

  of(caller: Caller): Caller {
    const known = this.#known.get(keyOf(caller));
    if (known !== undefined) return known;
    if (this.#known.size < this.#maxCallers) return this.#learn(caller);
    return this.#known.get(keyOf(OTHER_CALLERS)) ?? this.#learn(OTHER_CALLERS);
  }

  #learn({ tenant, team }: Caller): Caller {
    const labels = { tenant, team };
    this.#known.set(keyOf(labels), labels);
    this.#onNew(labels);
    return labels;
  }
}

function keyOf({ tenant, team }: Caller): string {
  return JSON.stringify([tenant, team]);
}
