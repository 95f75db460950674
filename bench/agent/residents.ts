import type { ContenderResult } from "./agent-bench.ts";

type Resident = ContenderResult["residents"][number];

/** Every process but the kernel's own. */
export const LIST_PROCESSES = "ps --no-headers --ppid 2 -p 2 -N -o pid,rss,comm";

/** Come and go with the way in (ssh), and with whatever device is looked at (udev's workers). */
const PASSING = new Set(["sshd", "sh", "bash", "ps", "(udev-worker)"]);

/** Processes of `after` that are not in `before`; a process id under another name is another process. */
export function residentsOf(before: string, after: string): Resident[] {
  const known = new Set(parseProcesses(before).map(({ identity }) => identity));
  return parseProcesses(after)
    .filter(({ identity, name }) => !known.has(identity) && !PASSING.has(name))
    .map(({ name, rssKiB }) => ({ name, rssKiB }));
}

function parseProcesses(text: string): (Resident & { readonly identity: string })[] {
  return text.split("\n").flatMap((line) => {
    const { pid, rss, name } = /^\s*(?<pid>\d+)\s+(?<rss>\d+)\s+(?<name>\S.*)$/.exec(line)?.groups ?? {};
    if (pid === undefined || name === undefined) return [];
    return [{ identity: `${pid} ${name}`, name, rssKiB: Number(rss) }];
  });
}
