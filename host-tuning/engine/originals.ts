import { captureEntries, restoreEntries } from "./boot-entries.ts";
import { TuningError } from "../errors.ts";
import type { Write } from "../knobs/knob.ts";
import type { LiveHost } from "../sys/live-host.ts";
import {
  type ConfigOriginal,
  type KernelOriginal,
  type Original,
  saveContent,
  savedBytes,
} from "./journal-records.ts";

/** What a write changes, as one name: the same file written by two knobs has one original. */
export function idOf(write: Write, stepKey: string, index: number): string {
  if (write.kind === "tool") return `tool:${stepKey}#${index}`;
  return write.kind === "boot-entries"
    ? `boot-entries:${write.loader}:${write.argument}`
    : `${write.kind}:${write.path}`;
}

/**
 * What stands where `write` is going to write.
 *
 * @throws {TuningError} HOST_READ when it cannot be read, so that nothing is written that could not be put back
 */
export function captureOriginal(host: LiveHost, write: Write): Original {
  if (write.kind === "kernel-file") return captureKernelFile(host, write);
  if (write.kind === "tool") {
    const [tool, ...args] = write.undo;
    const undo: [string, ...string[]] = [tool, ...args];
    return { kind: "tool", undo, ...(write.survivesReboot === true ? { survivesReboot: true } : {}) };
  }
  if (write.kind === "boot-entries") {
    const { loader, argument } = write;
    return { kind: "boot-entries", loader, argument, before: captureEntries(host, loader, argument) };
  }
  const bytes = host.readBytes(write.path);
  return {
    kind: "config-file",
    path: write.path,
    before: saveContent(bytes),
    attributes: bytes === undefined ? null : (host.attributesOf(write.path) ?? null),
    madeFolders: host.missingFolders(write.path),
    reload: (write.reload ?? []).map(([tool, ...args]) => [tool, ...args]),
  };
}

function captureKernelFile(host: LiveHost, write: Write & { kind: "kernel-file" }): KernelOriginal {
  const bytes = host.readBytes(write.path);
  if (bytes === undefined) {
    throw new TuningError("HOST_READ", write.path, `Cannot save ${write.path}: no such file`);
  }
  const counterpart = write.counterpart === undefined ? undefined : host.readBytes(write.counterpart);
  return {
    kind: "kernel-file",
    path: write.path,
    before: saveContent(bytes),
    ...(write.via === undefined ? {} : { via: write.via }),
    ...(write.counterpart === undefined
      ? {}
      : { counterpart: { path: write.counterpart, before: saveContent(counterpart) } }),
  };
}

/** Does what was saved stand there now. A tool's setting cannot be told from here: its knob reads it. */
export function isInPlace(host: LiveHost, original: Original): boolean {
  if (original.kind === "tool" || original.kind === "boot-entries") return true;
  const wanted = savedBytes(original.before);
  const found = host.readBytes(original.path);
  return wanted === undefined ? found === undefined : found?.equals(wanted) === true;
}

/** A write to where an original was saved, for what stands there now. */
export function placeOf(original: Original): Write {
  switch (original.kind) {
    case "kernel-file": {
      const { path, via, counterpart } = original;
      return {
        kind: "kernel-file",
        path,
        text: "",
        ...(via === undefined ? {} : { via }),
        ...(counterpart === undefined ? {} : { counterpart: counterpart.path }),
      };
    }
    case "config-file":
      return { kind: "config-file", path: original.path, text: "", reload: original.reload };
    case "tool":
      return { kind: "tool", command: original.undo, undo: original.undo };
    case "boot-entries":
      return { kind: "boot-entries", loader: original.loader, argument: original.argument, words: [] };
  }
  return original satisfies never;
}

/** How putting one original back went. */
export type Restoration =
  | { readonly kind: "restored"; readonly because: string }
  | { readonly kind: "already-there"; readonly because: string }
  | { readonly kind: "gone"; readonly because: string };

/**
 * Puts an original back and re-reads it.
 *
 * @throws {TuningError} HOST_WRITE when the bytes read afterwards are not the original's; TOOL_FAILED
 */
export async function restoreOriginal(host: LiveHost, original: Original): Promise<Restoration> {
  switch (original.kind) {
    case "kernel-file":
      return await restoreKernelFile(host, original);
    case "config-file":
      return await restoreConfigFile(host, original);
    case "tool":
      return await undoByTool(host, original.undo);
    case "boot-entries":
      return restoreEntries(host, original);
  }
  return original satisfies never;
}

async function restoreKernelFile(host: LiveHost, original: KernelOriginal): Promise<Restoration> {
  const wanted = savedBytes(original.before) ?? Buffer.alloc(0);
  const found = host.readBytes(original.path);
  if (found === undefined) return { kind: "gone", because: `${original.path} is not there any more` };
  if (found.equals(wanted) && isCounterpartRight(host, original)) {
    return { kind: "already-there", because: `${original.path} holds its original value` };
  }
  // Writing one of the pair zeroes the other, so the one that was in force is written and the other follows.
  const counterpart = original.counterpart;
  const counterpartBytes = counterpart === undefined ? undefined : savedBytes(counterpart.before);
  if (
    counterpart !== undefined &&
    counterpartBytes !== undefined &&
    isZero(wanted) &&
    !isZero(counterpartBytes)
  ) {
    await writeBack(host, counterpart.path, counterpartBytes);
    // A captured tree has no kernel that zeroes the other one.
    if (!host.isKernelFile(original.path)) await writeBack(host, original.path, wanted);
  } else {
    if (original.via !== undefined && wanted.toString("utf8").trim() !== original.via.trim()) {
      await host.writeKernelFile(original.path, original.via);
    }
    await writeBack(host, original.path, wanted);
  }
  const after = host.readBytes(original.path) ?? Buffer.alloc(0);
  if (!after.equals(wanted)) throw notBack(original.path, wanted, after);
  if (!isCounterpartRight(host, original)) {
    const path = counterpart?.path ?? original.path;
    throw notBack(path, counterpartBytes ?? wanted, host.readBytes(path) ?? Buffer.alloc(0));
  }
  return { kind: "restored", because: `${original.path} holds its original value again, re-read` };
}

function isZero(bytes: Buffer): boolean {
  return bytes.toString("utf8").trim() === "0";
}

function isCounterpartRight(host: LiveHost, original: KernelOriginal): boolean {
  if (original.counterpart === undefined) return true;
  const wanted = savedBytes(original.counterpart.before);
  const found = host.readBytes(original.counterpart.path);
  return wanted === undefined || found === undefined || found.equals(wanted);
}

/** The one value in brackets, as in "always [madvise] never": a file that lists choices takes only the choice. */
const SELECTED = /^(?:[^\s[\]]+ )*\[([^\s[\]]+)\](?: [^\s[\]]+)*\s*$/;

async function writeBack(host: LiveHost, path: string, bytes: Buffer): Promise<void> {
  const text = bytes.toString("utf8");
  const selected = host.isKernelFile(path) ? SELECTED.exec(text)?.[1] : undefined;
  await host.writeKernelFile(path, selected ?? text);
}

async function restoreConfigFile(host: LiveHost, original: ConfigOriginal): Promise<Restoration> {
  const { path } = original;
  const wanted = savedBytes(original.before);
  const found = host.readBytes(path);
  if (wanted === undefined) {
    if (found !== undefined) await host.writeConfigFile(path, undefined);
    if (host.readBytes(path) !== undefined) {
      throw new TuningError("HOST_WRITE", path, `Cannot remove ${path}: it is still there`);
    }
    for (const folder of original.madeFolders.toReversed()) host.removeEmptyFolder(folder);
    const because = found === undefined ? `${path} is not there, as before` : `${path} is removed, as before`;
    return { kind: found === undefined ? "already-there" : "restored", because };
  }
  const attributes = original.attributes ?? { mode: 0o644, uid: 0, gid: 0 };
  if (found?.equals(wanted) === true && host.attributesOf(path)?.mode === attributes.mode) {
    return { kind: "already-there", because: `${path} holds its original content` };
  }
  host.writeConfigBytes(path, wanted, attributes);
  const after = host.readBytes(path) ?? Buffer.alloc(0);
  if (!after.equals(wanted)) throw notBack(path, wanted, after);
  return { kind: "restored", because: `${path} holds its original content again, re-read` };
}

async function undoByTool(host: LiveHost, undo: readonly [string, ...string[]]): Promise<Restoration> {
  await runOrThrow(host, undo);
  return { kind: "restored", because: `ran ${undo.join(" ")}` };
}

/** Runs a command that has to succeed. @throws {TuningError} TOOL_FAILED */
export async function runOrThrow(host: LiveHost, command: readonly [string, ...string[]]): Promise<void> {
  const [tool, ...args] = command;
  const result = await host.runTool(tool, args);
  if (result === undefined) {
    const why = host.isLive ? "not installed" : "this root is not the machine it would speak of";
    throw new TuningError("TOOL_FAILED", tool, `Cannot run ${command.join(" ")}: ${why}`);
  }
  if (result.exitCode !== 0) {
    const said = result.stderr.trim().split("\n").at(-1) ?? "";
    throw new TuningError(
      "TOOL_FAILED",
      tool,
      `Cannot run ${command.join(" ")}: exit code ${result.exitCode}${said === "" ? "" : `, "${said}"`}`,
    );
  }
}

/** How much of a file a message quotes. */
const MAX_QUOTED_CHARACTERS = 80;

function quote(bytes: Buffer): string {
  return JSON.stringify(bytes.toString("utf8").trimEnd().slice(0, MAX_QUOTED_CHARACTERS));
}

function notBack(path: string, wanted: Buffer, found: Buffer): TuningError {
  return new TuningError(
    "HOST_WRITE",
    path,
    `Cannot put ${path} back to ${quote(wanted)}: file holds ${quote(found)} after the write`,
  );
}
