import { setTimeout as sleep } from "node:timers/promises";
import { writeEntries } from "./boot-entries.ts";
import type { Write } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import type { Attempt } from "./attempt.ts";
import { restoreOriginal, runOrThrow } from "./originals.ts";
import type { Observer } from "./run-context.ts";

/** Does every write, in order. One that fails ends its own step and no other. */
export async function writeSteps(
  host: LiveHost,
  attempts: readonly Attempt[],
  observer: Observer | undefined,
): Promise<void> {
  for (const [index, attempt] of attempts.entries()) {
    if (attempt.error !== undefined) continue;
    observer?.onProgress?.(index, attempts.length, attempt.decision.step.key);
    const fromMillis = performance.now();
    try {
      for (const { original } of attempt.decision.putBack?.restores ?? []) {
        await restoreOriginal(host, original);
      }
      for (const write of attempt.decision.writes) await perform(host, write);
    } catch (error) {
      attempt.error = error;
    }
    attempt.millis += performance.now() - fromMillis;
  }
}

async function perform(host: LiveHost, write: Write): Promise<void> {
  switch (write.kind) {
    case "kernel-file":
      if (write.via !== undefined) await writeVia(host, write.path, write.via);
      await host.writeKernelFile(write.path, write.text);
      if (write.retrySeconds !== undefined) await retry(host, write, write.retrySeconds);
      return;
    case "config-file":
      if ((await host.readText(write.path)) !== write.text)
        await host.writeConfigFile(write.path, write.text);
      // A captured tree has no daemon that could take notice.
      if (write.reloadAtOnce === true && host.isLive)
        for (const command of write.reload ?? []) await runOrThrow(host, command);
      return;
    case "tool":
      await runOrThrow(host, write.command);
      return;
    case "boot-entries":
      writeEntries(host, write);
  }
}

/** Tries in a row that change nothing before a retry is given up: the kernel has no more to give. */
const MAX_FUTILE_TRIES = 3;

const RETRY_PAUSE_MILLIS = 250;

async function retry(
  host: LiveHost,
  write: Write & { readonly kind: "kernel-file" },
  seconds: number,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  let held = await host.readText(write.path);
  for (let futile = 0; futile < MAX_FUTILE_TRIES && performance.now() < deadline;) {
    if (held?.trim() === write.text.trim()) return;
    await sleep(RETRY_PAUSE_MILLIS);
    await host.writeKernelFile(write.path, write.text);
    const now = await host.readText(write.path);
    futile = now === held ? futile + 1 : 0;
    held = now;
  }
}

/** The value in between is needed only when it is not there already. */
async function writeVia(host: LiveHost, path: string, via: string): Promise<void> {
  if ((await host.readText(path))?.trim() !== via.trim()) await host.writeKernelFile(path, via);
}

/** Reload commands of steps that wrote a configuration, whether or not its text was there already: a killed run may have written it. */
export async function reloadAfter(host: LiveHost, attempts: readonly Attempt[]): Promise<void> {
  const reload = new Reloads(host);
  for (const attempt of attempts) {
    if (attempt.error !== undefined) continue;
    for (const write of attempt.decision.writes) {
      if (write.kind === "config-file" && write.reloadAtOnce !== true)
        attempt.error ??= await reload.run(write.reload ?? []);
    }
    for (const { original } of attempt.decision.putBack?.restores ?? []) {
      if (original.kind === "config-file") attempt.error ??= await reload.run(original.reload);
    }
  }
}

/** Runs each distinct command once in a run, and remembers how it went. */
export class Reloads {
  readonly #host: LiveHost;
  readonly #failures = new Map<string, unknown>();

  constructor(host: LiveHost) {
    this.#host = host;
  }

  /** The first failure among these commands. A captured tree has no daemon that could take notice. */
  async run(commands: readonly (readonly [string, ...string[]])[]): Promise<unknown> {
    if (!this.#host.isLive) return undefined;
    let first: unknown;
    for (const command of commands) {
      const name = JSON.stringify(command);
      if (!this.#failures.has(name)) this.#failures.set(name, await this.#failureOf(command));
      first ??= this.#failures.get(name);
    }
    return first;
  }

  async #failureOf(command: readonly [string, ...string[]]): Promise<unknown> {
    try {
      await runOrThrow(this.#host, command);
      return undefined;
    } catch (error) {
      return error;
    }
  }
}
