import { createHash } from "node:crypto";
import { lstatSync, readFileSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";

/** Where the agent keeps its own books; everything else has to come back. */
const OWN = ["/var/lib/bedplate", "/run/bedplate"];

/** Every folder, link and file below `root` with its rights and content, but for the agent's own books. */
export function treeState(root: string): Record<string, string> {
  const state: Record<string, string> = {};
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()) {
    const path = `/${name}`;
    if (OWN.some((own) => path === own || path.startsWith(`${own}/`))) continue;
    const full = join(root, name);
    const status = lstatSync(full);
    if (status.isSymbolicLink()) state[path] = `link ${readlinkSync(full)}`;
    else if (status.isDirectory()) state[path] = "folder";
    else state[path] = `${(status.mode & 0o7777).toString(8)} ${readFileSync(full).toString("base64")}`;
  }
  return state;
}

/** One word for a whole tree, the agent's own books included. */
export function treeHash(root: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(root, { recursive: true, encoding: "utf8" }).toSorted()) {
    const full = join(root, name);
    const status = lstatSync(full);
    hash.update(`${name}\0`);
    if (status.isSymbolicLink()) hash.update(readlinkSync(full));
    else if (status.isFile()) hash.update(readFileSync(full));
  }
  return hash.digest("hex");
}
