import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Where the agent keeps its own books; everything else has to come back. */
const OWN = ["/var/lib/bedplate", "/run/bedplate"];

/** Every path below `folder`. By hand: readdirSync's `recursive` follows links, and those of /sys run in circles. */
function* walk(root: string, folder = ""): Generator<string> {
  for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
    const path = `${folder}/${entry.name}`;
    yield path;
    if (entry.isDirectory()) yield* walk(root, path);
  }
}

function describe(full: string): string {
  const status = lstatSync(full);
  if (status.isSymbolicLink()) return `link ${readlinkSync(full)}`;
  if (status.isDirectory()) return "folder";
  return `${(status.mode & 0o7777).toString(8)} ${readFileSync(full).toString("latin1")}`;
}

/** Every folder, link and file below `root` with its rights and content, but for the agent's own books. */
export function treeState(root: string): Record<string, string> {
  const state: Record<string, string> = {};
  for (const path of [...walk(root)].toSorted()) {
    const isOwn = OWN.some((own) => path === own || path.startsWith(`${own}/`));
    if (!isOwn) state[path] = describe(join(root, path));
  }
  return state;
}

/** One word for a whole tree, the agent's own books included. */
export function treeHash(root: string): string {
  const hash = createHash("sha256");
  for (const path of [...walk(root)].toSorted()) hash.update(`${path}\0${describe(join(root, path))}\0`);
  return hash.digest("hex");
}
