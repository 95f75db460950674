import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { FactReader } from "../../../host-tuning/facts/fact-reader.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import { TuningError } from "../../../host-tuning/errors.ts";
import type { Host } from "../../../host-tuning/sys/host.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";

/** Facts of a host that has just these files. */
export async function factsOf(tree: HostTree): Promise<HostFacts> {
  await using host = await createHostRoot(tree);
  return await readFacts(openHost(host.root));
}

/** What `read` gives on a host that has just these files, with what it noted. */
export async function readingOf<T>(
  tree: HostTree,
  read: (reader: FactReader) => Promise<T>,
): Promise<{ value: T; unreadable: HostFacts["unreadable"] }> {
  await using host = await createHostRoot(tree);
  const reader = new FactReader(openHost(host.root));
  const value = await read(reader);
  return { value, unreadable: reader.unreadable() };
}

/** The host, but that reading `path` fails with `error`. */
export function hostFailingAt(host: Host, path: string, error: Error): Host {
  return {
    root: host.root,
    isLive: host.isLive,
    readText: (wanted) => (wanted === path ? Promise.reject(error) : host.readText(wanted)),
    list: (wanted) => host.list(wanted),
    exists: (wanted) => host.exists(wanted),
    realPath: (wanted) => host.realPath(wanted),
    readLink: (wanted) => host.readLink(wanted),
    writeKernelFile: (wanted, text) => host.writeKernelFile(wanted, text),
    writeConfigFile: (wanted, text) => host.writeConfigFile(wanted, text),
    runTool: (tool, args) => host.runTool(tool, args),
  };
}

/** What a host throws when the kernel answers `code` to a read. */
export function readFailure(path: string, code: string): TuningError {
  const cause = Object.assign(new Error(`${code}: as the kernel says, read`), { code });
  return new TuningError("HOST_READ", path, `Cannot read ${path}`, { cause });
}

/** Files of CPUs: `cpuN/topology/...` for each entry. */
export function cpuTree(
  cpus: readonly { readonly package: number; readonly core: number; readonly siblings: string }[],
): HostTree {
  const directory = "/sys/devices/system/cpu";
  return Object.fromEntries(
    cpus.flatMap((cpu, id) => [
      [`${directory}/cpu${id}/topology/physical_package_id`, `${cpu.package}\n`],
      [`${directory}/cpu${id}/topology/core_id`, `${cpu.core}\n`],
      [`${directory}/cpu${id}/topology/thread_siblings_list`, `${cpu.siblings}\n`],
    ]),
  );
}
