import { type Stats, lstatSync, readlinkSync } from "node:fs";
import { TuningError } from "../errors.ts";
import { errnoOf } from "./errno.ts";

/** As many links as the kernel follows before it says ELOOP. */
const MAX_LINKS = 40;

/**
 * Finds where a host's path lies on this machine, for a host whose files stand below `root`.
 *
 * Walks every component as the kernel would after chroot(2): a link that is absolute starts again at the root, ".."
 * stops at it, so that no link and no name of a captured or hostile tree leads outside. What does not exist is kept as
 * it is written. The walk holds no lock: a tree that somebody else changes under us is not defended against.
 */
export class RootedPaths {
  readonly #root: string;
  /** Folders and links seen so far; a tree of one host has few of them and thousands of files. */
  readonly #folders = new Set<string>();
  readonly #links = new Map<string, string>();

  constructor(root: string) {
    this.#root = root === "/" ? "" : root;
  }

  /**
   * Path on the host with all links followed: "/sys/class/net/eth0" is "/sys/devices/pci0000:00/.../net/eth0".
   *
   * @throws {TuningError} HOST_READ for a path that is not absolute, holds a NUL or runs in a circle
   */
  resolve(path: string): string {
    if (!path.startsWith("/") || path.includes("\0")) {
      throw new TuningError(
        "HOST_READ",
        path,
        `Cannot resolve ${JSON.stringify(path)}: not an absolute path`,
      );
    }
    const pending = path.split("/").toReversed();
    let real: string[] = [];
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        real.pop();
        continue;
      }
      const next = `/${[...real, part].join("/")}`;
      const link = this.#linkAt(next);
      if (link === undefined) {
        real.push(part);
        continue;
      }
      links++;
      if (links > MAX_LINKS) {
        throw new TuningError("HOST_READ", path, `Cannot resolve ${path}: too many links (ELOOP)`);
      }
      if (link.startsWith("/")) real = [];
      pending.push(...link.split("/").toReversed());
    }
    return `/${real.join("/")}`;
  }

  /** The same, as a path on this machine. */
  onMachine(path: string): string {
    return `${this.#root}${this.resolve(path)}`;
  }

  #linkAt(path: string): string | undefined {
    if (this.#folders.has(path)) return undefined;
    const known = this.#links.get(path);
    if (known !== undefined) return known;
    const status = statusOf(`${this.#root}${path}`);
    if (status?.isDirectory() === true) this.#folders.add(path);
    if (status?.isSymbolicLink() !== true) return undefined;
    const target = readlinkSync(`${this.#root}${path}`);
    this.#links.set(path, target);
    return target;
  }
}

/** Status of what lies at a path; `undefined` for nothing, and for what would lie below a plain file. */
function statusOf(path: string): Stats | undefined {
  try {
    return lstatSync(path, { throwIfNoEntry: false });
  } catch (error) {
    if (errnoOf(error) === "ENOTDIR") return undefined;
    throw error;
  }
}
