import { styleText } from "node:util";

export interface PhaseTime {
  readonly name: string;
  readonly durationMillis: number;
}

/** Says on stderr what goes on, with seconds since the start, and keeps how long each phase took. */
export class PhaseClock {
  readonly #startedAt = performance.now();
  readonly #phases: PhaseTime[] = [];
  #lastLine = "";

  /** One line of progress; the same line twice in a row is said once. */
  say(phase: string, message: string): void {
    const line = `${phase.padEnd(12)} ${message}`;
    if (line === this.#lastLine) return;
    this.#lastLine = line;
    const seconds = ((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(6);
    const stamp = process.stderr.isTTY ? styleText("dim", `${seconds}s`) : `${seconds}s`;
    process.stderr.write(`${stamp}  ${line}\n`);
  }

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      return await work();
    } finally {
      this.#phases.push({ name, durationMillis: performance.now() - startedAt });
    }
  }

  /** Phases that somebody else measured, as the provider does in its own process. */
  add(phases: readonly PhaseTime[]): void {
    this.#phases.push(...phases);
  }

  get phases(): readonly PhaseTime[] {
    return this.#phases;
  }

  get totalMillis(): number {
    return performance.now() - this.#startedAt;
  }
}
