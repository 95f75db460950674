import type { Host } from "../sys/host.ts";

export type InsideReading =
  | { readonly kind: "read"; readonly texts: ReadonlyMap<string, string> }
  | { readonly kind: "unreadable"; readonly because: string };

/**
 * Texts of /proc/sys/net files as they are inside the network namespace of a process. /proc/sys/net shows the namespace
 * of the task that asks, and a Node program cannot enter another one, so nsenter(1) of util-linux runs grep(1) there: one
 * process for all files, and those that are missing are passed over.
 */
export async function readInside(host: Host, pid: number, paths: readonly string[]): Promise<InsideReading> {
  const result = await host.runTool("nsenter", [
    `--net=/proc/${pid}/ns/net`,
    "--",
    "grep",
    "-sH",
    "",
    ...paths,
  ]);
  if (result === undefined)
    return {
      kind: "unreadable",
      because: host.isLive
        ? "nsenter (util-linux) is not installed"
        : "a captured tree has no namespaces to enter",
    };
  const texts = new Map<string, string>();
  for (const line of result.stdout.split("\n")) {
    const colon = line.indexOf(":");
    if (colon > 0) texts.set(line.slice(0, colon), line.slice(colon + 1));
  }
  // grep ends with 2 when one of the files is missing, and has printed the others.
  if (texts.size > 0) return { kind: "read", texts };
  const reason = result.stderr.trim().split("\n")[0] ?? "";
  return {
    kind: "unreadable",
    because: `nsenter ended with ${result.exitCode}: ${reason === "" ? "no word" : reason}`,
  };
}

/** The host with other texts in some of its files, so that a knob reads what is in force in a namespace. */
export function hostInside(host: Host, texts: ReadonlyMap<string, string>, paths: readonly string[]): Host {
  const inside = new Set(paths);
  return {
    root: host.root,
    isLive: host.isLive,
    readText: (path) => (inside.has(path) ? Promise.resolve(texts.get(path)) : host.readText(path)),
    list: (path) => host.list(path),
    exists: (path) => (inside.has(path) ? Promise.resolve(texts.has(path)) : host.exists(path)),
    realPath: (path) => host.realPath(path),
    readLink: (path) => host.readLink(path),
    writeKernelFile: (path, text) => host.writeKernelFile(path, text),
    writeConfigFile: (path, text) => host.writeConfigFile(path, text),
    runTool: (tool, args) => host.runTool(tool, args),
  };
}
