import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { basename, dirname, join } from "node:path";

/** What a file does instead of what it should. */
export type Fault =
  | { readonly at: "read"; readonly errno: string }
  | { readonly at: "write"; readonly errno: string }
  /** write(2) takes fewer bytes than it was given. */
  | { readonly at: "write"; readonly errno: "short" }
  /** write(2) says that all is well and nothing happens. */
  | { readonly at: "write"; readonly errno: "ignored" };

/** f_type of sysfs (linux/magic.h). */
const SYSFS_MAGIC = 0x62656572;

type Callable = (...args: unknown[]) => unknown;

function errnoError(errno: string, call: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${errno}: injected, ${call} '${path}'`), {
    code: errno,
    syscall: call,
    path,
  });
}

/** A file that lists choices keeps the list, moves the brackets and refuses another word, as the kernel's do. */
function kernelText(path: string, written: string): string {
  const held = fs.readFileSync(path, "utf8");
  const choices = held.trim().split(" ");
  if (!choices.some((choice) => /^\[.*\]$/.test(choice))) return written;
  const word = written.trim();
  const bare = choices.map((choice) => choice.replaceAll(/[[\]]/g, ""));
  if (!bare.includes(word)) throw errnoError("EINVAL", "write", path);
  return `${bare.map((choice) => (choice === word ? `[${choice}]` : choice)).join(" ")}\n`;
}

/** Of such a pair the one that is written zeroes the other. */
const PAIR = /\/vm\/dirty_(background_)?(bytes|ratio)$/;

function zeroCounterpart(path: string): void {
  const half = PAIR.exec(path)?.[2];
  if (half === undefined) return;
  fs.writeFileSync(path.replace(new RegExp(`${half}$`), half === "bytes" ? "ratio" : "bytes"), "0\n");
}

const STAGED = /^\.(.*)\.bedplate-new$/;

/**
 * Runs `body` with /proc and /sys below `root` behaving like the kernel's own file systems (one write(2), in place,
 * brackets that move) and with `fault` at every path of `faulty`. Real code of sys/ runs on top; only system calls are
 * replaced.
 */
export async function withFaults<T>(
  root: string,
  faulty: ReadonlySet<string>,
  fault: Fault | undefined,
  body: () => Promise<T>,
): Promise<T> {
  const real = new Map<string, Callable>();
  const realOpen = fs.promises.open;
  const onMachine = new Set([...faulty].map((path) => realPathOf(join(root, path))));
  const isKernel = (path: string): boolean => /^\/(proc|sys)\//.test(path.slice(root.length));
  const descriptors = new Map<number, string>();
  const replace = (name: string, make: (original: Callable) => Callable): void => {
    const original = Reflect.get(fs, name) as Callable;
    real.set(name, original);
    Reflect.set(fs, name, make(original));
  };
  /** The file that a call is about in the end: what is staged stands for what it will replace. */
  const subjectOf = (path: string): string => {
    const staged = STAGED.exec(basename(path))?.[1];
    return staged === undefined ? path : join(dirname(path), staged);
  };
  const isHit = (at: Fault["at"], path: string): boolean =>
    fault?.at === at && onMachine.has(subjectOf(path));
  const isErrno = fault !== undefined && fault.errno !== "short" && fault.errno !== "ignored";

  replace(
    "statfsSync",
    (original) =>
      (path, ...rest) =>
        isKernel(String(path)) ? { type: SYSFS_MAGIC } : original(path, ...rest),
  );
  replace("openSync", (original) => (path, flags, ...rest) => {
    const isWrite = typeof flags === "number" && (flags & fs.constants.O_CREAT) !== 0;
    if (isErrno && isHit(isWrite ? "write" : "read", String(path))) {
      throw errnoError(fault.errno, "open", String(path));
    }
    const descriptor = original(path, flags, ...rest) as number;
    descriptors.set(descriptor, String(path));
    return descriptor;
  });
  replace("writeSync", (original) => (descriptor, bytes, offset = 0) => {
    const isShort = fault?.errno === "short" && isHit("write", descriptors.get(descriptor as number) ?? "");
    const whole = (bytes as Buffer).length - (offset as number);
    return original(descriptor, bytes, offset, isShort ? Math.ceil(whole / 2) : whole);
  });
  replace("renameSync", (original) => (from, to) => {
    if (fault?.errno === "ignored" && isHit("write", String(to))) return;
    original(from, to);
  });
  const open = (path: string, flags: number, ...rest: never[]): unknown => {
    if (!isKernel(path)) return realOpen(path, flags, ...rest);
    if (fault?.errno === "ENOENT" && isHit("write", path)) throw errnoError("ENOENT", "open", path);
    return {
      write: async (bytes: Buffer): Promise<{ bytesWritten: number }> => {
        await Promise.resolve();
        if (isHit("write", path)) {
          if (isErrno) throw errnoError(fault.errno, "write", path);
          return { bytesWritten: fault?.errno === "short" ? bytes.length - 1 : bytes.length };
        }
        fs.writeFileSync(path, kernelText(path, bytes.toString("utf8")));
        zeroCounterpart(path);
        return { bytesWritten: bytes.length };
      },
      close: async () => await Promise.resolve(),
    };
  };
  Reflect.set(fs.promises, "open", async (...args: unknown[]) => {
    await Promise.resolve();
    return open(...(args as [string, number]));
  });
  syncBuiltinESMExports();
  try {
    return await body();
  } finally {
    for (const [name, original] of real) Reflect.set(fs, name, original);
    Reflect.set(fs.promises, "open", realOpen);
    syncBuiltinESMExports();
  }
}

function realPathOf(path: string): string {
  return fs.existsSync(path) ? fs.realpathSync(path) : path;
}
