import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

/** What stands at a path of a host: a file's text, or where a symbolic link points (as written, relative or not). */
export type TreeEntry = string | { readonly link: string };

/** A host's files by absolute path: {"/proc/sys/vm/swappiness": "60\n"}. */
export type HostTree = Readonly<Record<string, TreeEntry>>;

export interface HostRoot extends AsyncDisposable {
  /** The folder that stands for "/". */
  readonly root: string;
  /** Text of a file of the host. @throws when it does not exist */
  read(path: string): Promise<string>;
  write(path: string, entry: TreeEntry): Promise<void>;
  remove(path: string): Promise<void>;
}

/**
 * Lays `tree` down below a new temporary folder. Use with `await using`, which removes it at the end of the block.
 *
 * @example await using host = await createHostRoot({ "/proc/sys/vm/swappiness": "60\n" });
 */
export async function createHostRoot(tree: HostTree): Promise<HostRoot> {
  const root = await mkdtemp(join(tmpdir(), "bedplate-root-"));
  const at = (path: string): string => join(root, path);
  const write = async (path: string, entry: TreeEntry): Promise<void> => {
    await mkdir(dirname(at(path)), { recursive: true });
    if (typeof entry === "string") await writeFile(at(path), entry);
    else await symlink(entry.link, at(path));
  };
  await Promise.all(Object.entries(tree).map(([path, entry]) => write(path, entry)));
  return {
    root,
    read: (path) => readFile(at(path), "utf8"),
    write,
    remove: (path) => rm(at(path), { recursive: true, force: true }),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

/** Everything below `root` by path, files as text and links as what they point to: two trees compare with toEqual. */
export async function readTree(root: string): Promise<Record<string, TreeEntry>> {
  const entries: [string, TreeEntry][] = [];
  for (const name of (await readdir(root, { recursive: true })).toSorted()) {
    const path = join(root, name);
    const status = await lstat(path);
    if (status.isSymbolicLink()) entries.push([`/${name}`, { link: await readlink(path) }]);
    else if (status.isFile()) entries.push([`/${name}`, await readFile(path, "utf8")]);
  }
  return Object.fromEntries(entries);
}
