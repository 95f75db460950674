import { TuningError } from "../errors.ts";
import { errnoOf, errnoText } from "../sys/errno.ts";
import type { Host } from "../sys/host.ts";
import { parseKernelList, parseKernelMask } from "../sys/kernel-list.ts";
import type { HostFacts } from "./host-facts.ts";

export type Unreadable = HostFacts["unreadable"][number];

/** More faults than this of one kind (same path but for its numbers) become one line. Our choice. */
const MAX_ALIKE = 3;

/** A count, size or id as the kernel prints it; `undefined` when it is none or beyond what a number holds exactly. */
export function parseInteger(text: string): number | undefined {
  const trimmed = text.trim();
  if (!/^-?\d{1,16}$/.test(trimmed)) return undefined;
  const value = Number(trimmed);
  // `+ 0` makes a plain 0 of "-0".
  return Number.isSafeInteger(value) ? value + 0 : undefined;
}

/** Text fit to quote in a message: one line, printable, not long. */
export function quote(text: string): string {
  const shown = text.trim().replaceAll(/[^\x20-\x7e]+/g, " ");
  return `"${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}"`;
}

/**
 * Reads a host's files for the facts and keeps going: what cannot be read or understood is noted and comes out in
 * `unreadable`; the value is then absent. Absent files are no fault.
 */
export class FactReader {
  readonly host: Host;
  readonly #faults = new Map<string, Unreadable>();

  constructor(host: Host) {
    this.host = host;
  }

  /** Notes that what `path` holds was not understood. */
  note(path: string, because: string): void {
    this.#faults.set(`${path}\0${because}`, { path, because });
  }

  /**
   * Text of a file; `undefined` when it is absent or cannot be read.
   *
   * @param expected errno names that are an answer here and no fault: a link that is down gives EINVAL for its speed
   */
  async text(path: string, expected: readonly string[] = []): Promise<string | undefined> {
    return this.#guard(path, undefined, expected, () => this.host.readText(path));
  }

  /** Text without the white space around it; `undefined` when absent or empty. */
  async line(path: string, expected: readonly string[] = []): Promise<string | undefined> {
    const text = (await this.text(path, expected))?.trim();
    return text === undefined || text === "" ? undefined : text;
  }

  /** Text for people (a model name): control characters taken out, `undefined` when absent or empty. */
  async label(path: string): Promise<string | undefined> {
    const text = await this.line(path);
    const clean = text?.replaceAll(/[\p{Cc}\uFFFD]+/gu, " ").trim();
    return clean === "" ? undefined : clean;
  }

  async integer(path: string, expected: readonly string[] = []): Promise<number | undefined> {
    const text = await this.line(path, expected);
    if (text === undefined) return undefined;
    const value = parseInteger(text);
    if (value === undefined) this.note(path, `Not a whole number: ${quote(text)}`);
    return value;
  }

  /** A number of things, or bytes of them: an integer that is not negative. */
  async count(path: string, expected: readonly string[] = []): Promise<number | undefined> {
    const value = await this.integer(path, expected);
    if (value === undefined || value >= 0) return value;
    this.note(path, `Not a count: ${value}`);
    return undefined;
  }

  /** Numbers in list form, "0-3,8"; an empty file is the empty list. */
  async kernelList(path: string): Promise<number[] | undefined> {
    const text = await this.text(path);
    if (text === undefined) return undefined;
    const ids = parseKernelList(text);
    if (ids === undefined) this.note(path, `Not a kernel list: ${quote(text)}`);
    return ids;
  }

  /** Numbers in mask form, "00000000,000000ff". */
  async kernelMask(path: string): Promise<number[] | undefined> {
    const text = await this.text(path);
    if (text === undefined) return undefined;
    const ids = parseKernelMask(text);
    if (ids === undefined) this.note(path, `Not a kernel mask: ${quote(text)}`);
    return ids;
  }

  /** The first of a list file and a mask file that can be understood: old kernels have the mask only. */
  async listOrMask(listPath: string, maskPath: string): Promise<number[] | undefined> {
    return (await this.kernelList(listPath)) ?? (await this.kernelMask(maskPath));
  }

  async entries(path: string): Promise<string[]> {
    return this.#guard(path, [], [], () => this.host.list(path));
  }

  async exists(path: string): Promise<boolean> {
    return this.#guard(path, false, [], () => this.host.exists(path));
  }

  async realPath(path: string): Promise<string | undefined> {
    return this.#guard(path, undefined, [], () => this.host.realPath(path));
  }

  /** Last part of where a link leads: the name of a driver from `device/driver`. */
  async linkName(path: string): Promise<string | undefined> {
    const target = await this.realPath(path);
    const name = target?.split("/").at(-1);
    return name === "" ? undefined : name;
  }

  /**
   * Name of the driver that has a device: where `driver` links to; else DRIVER in `uevent`, since a captured tree often
   * lacks the driver's own folder.
   */
  async driver(deviceDirectory: string): Promise<string | undefined> {
    const linked = await this.linkName(`${deviceDirectory}/driver`);
    if (linked !== undefined) return linked;
    return /^DRIVER=([\w.-]+)$/m.exec((await this.text(`${deviceDirectory}/uevent`)) ?? "")?.[1];
  }

  /**
   * What was there and could not be read or understood, by path; many faults of one kind (the same file of every
   * interrupt, as a plain user gets) are one line that says how many.
   */
  unreadable(): Unreadable[] {
    const alike = Map.groupBy(
      this.#faults.values(),
      ({ path, because }) => `${path.replaceAll(/\d+/g, "*")}\0${because}`,
    );
    return [...alike]
      .flatMap(([key, faults]) => {
        if (faults.length <= MAX_ALIKE) return faults;
        const [path = "", because = ""] = key.split("\0");
        return [{ path, because: `${because} (${faults.length} files)` }];
      })
      .toSorted((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  }

  async #guard<T>(path: string, absent: T, expected: readonly string[], read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof TuningError)) throw error;
      const errno = errnoOf(error.cause);
      if (errno === undefined) this.note(path, error.message);
      else if (!expected.includes(errno)) this.note(path, errnoText(error.cause));
      return absent;
    }
  }
}
