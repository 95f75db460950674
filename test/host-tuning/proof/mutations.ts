import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** One call that changes a file system, in the order in which the agent makes them. */
export interface Mutation {
  readonly call: string;
  /** What it acts on; of an open file, the path it was opened by. */
  readonly path: string;
  /** Bytes of a write, to be torn anywhere. */
  readonly bytes: Buffer | undefined;
}

/** Where a run ends: before the call with this index, of which the first `tornBytes` still happen if it is a write. */
export interface CrashPoint {
  readonly index: number;
  readonly tornBytes?: number;
}

/** What every call of a dead process gets. The agent must not be able to tell it from any other fault. */
class ProcessIsDead extends Error {
  override readonly name = "ProcessIsDead";
  readonly code = "EDEAD";
}

type AnyFunction = (...args: never[]) => unknown;

/** Calls that change something whenever they succeed, and the argument that says where. */
const CHANGING = [
  "writeSync",
  "writeFileSync",
  "appendFileSync",
  "renameSync",
  "rmSync",
  "rmdirSync",
  "unlinkSync",
  "mkdirSync",
  "linkSync",
  "symlinkSync",
  "ftruncateSync",
  "truncateSync",
  "fchmodSync",
  "chmodSync",
  "fchownSync",
  "chownSync",
  "copyFileSync",
  "utimesSync",
] as const;

const WRITE_FLAGS = fs.constants.O_CREAT | fs.constants.O_TRUNC;

function opensForChange(flags: unknown): boolean {
  return typeof flags === "string" ? /[wa+]/.test(flags) : ((flags as number) & WRITE_FLAGS) !== 0;
}

/**
 * Runs `body` with every changing call of node:fs noted, and, at a crash point, refused from there on: not one byte
 * reaches a file after the process has "died", whatever its `catch` and `finally` blocks try. Calls that would change
 * nothing (removing what is not there) are not points of their own.
 */
export async function withMutations(
  body: () => Promise<unknown>,
  crash?: CrashPoint,
): Promise<readonly Mutation[]> {
  const seen: Mutation[] = [];
  const names = new Map<number, string>();
  const real = new Map<string, AnyFunction>();
  let isDead = false;

  const pathOf = (target: unknown): string =>
    typeof target === "number" ? (names.get(target) ?? `descriptor ${target}`) : String(target);

  const note = (call: string, target: unknown, bytes?: Buffer): "go on" | { torn: number } => {
    if (isDead) throw new ProcessIsDead(`${call}: the process is dead`);
    if (crash?.index === seen.length) {
      isDead = true;
      return { torn: crash.tornBytes ?? 0 };
    }
    seen.push({ call, path: pathOf(target), bytes });
    return "go on";
  };

  const replace = (name: string, make: (original: AnyFunction) => AnyFunction): void => {
    const original = Reflect.get(fs, name) as AnyFunction;
    real.set(name, original);
    Reflect.set(fs, name, make(original));
  };

  const changesNothing = (name: string, path: unknown): boolean => {
    if (name === "rmSync") return !fs.existsSync(path as string);
    return name === "mkdirSync" && fs.existsSync(path as string);
  };

  for (const name of CHANGING) {
    replace(name, (original) => (...args: unknown[]): unknown => {
      const call = original as (...rest: unknown[]) => unknown;
      if (!isDead && changesNothing(name, args[0])) return call(...args);
      if (name !== "writeSync") {
        if (note(name, args[0]) !== "go on") throw new ProcessIsDead(`${name}: killed`);
        return call(...args);
      }
      const bytes = Buffer.from(args[1] as Uint8Array).subarray((args[2] as number | undefined) ?? 0);
      const verdict = note(name, args[0], bytes);
      if (verdict === "go on") return call(...args);
      if (verdict.torn > 0) call(args[0], bytes.subarray(0, verdict.torn));
      throw new ProcessIsDead("writeSync: killed");
    });
  }
  replace("openSync", (original) => (...args: unknown[]): unknown => {
    const call = original as (...rest: unknown[]) => number;
    if (opensForChange(args[1] ?? "r") && note("openSync", args[0]) !== "go on") {
      throw new ProcessIsDead("openSync: killed");
    }
    const descriptor = call(...args);
    names.set(descriptor, String(args[0]));
    return descriptor;
  });
  syncBuiltinESMExports();
  try {
    await body();
  } catch (error) {
    if (crash === undefined) throw error;
  } finally {
    for (const [name, original] of real) Reflect.set(fs, name, original);
    syncBuiltinESMExports();
  }
  return seen;
}
