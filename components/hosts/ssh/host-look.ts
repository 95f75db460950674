import { HostError } from "./ssh-connection.ts";

/** What `look-at-host.sh` found on a host. */
export interface HostLook {
  readonly uid: number;
  /** As uname -m prints it. */
  readonly architecture: string;
  readonly machineId: string;
  /** Digest of the archive in force; undefined where the agent is not installed. */
  readonly agent: string | undefined;
  readonly service: string | undefined;
  /** The agent's journal is there: originals that a rollback would put back. */
  readonly hasJournal: boolean;
  readonly missingTools: readonly string[];
  /** What `systemctl is-enabled` says, by unit; empty where it knows none. */
  readonly units: ReadonlyMap<string, string>;
  /** sha256 by path, of those that are there. */
  readonly files: ReadonlyMap<string, string>;
}

/**
 * The script's lines as data. A login shell that prints lines of its own is no fault: they are none of the words that are
 * known here.
 *
 * @throws {HostError} HOST_FAILED when what every host has is not among them
 */
export function parseHostLook(text: string, place: string): HostLook {
  const values = new Map<string, string>();
  const units = new Map<string, string>();
  const files = new Map<string, string>();
  const missingTools: string[] = [];
  for (const line of text.split("\n")) {
    const [, word = "", rest = ""] = /^(\S+) ?(.*)$/.exec(line) ?? [];
    const [, first = "", second = ""] = /^(\S*) ?(.*)$/.exec(rest) ?? [];
    if (word === "unit") units.set(first, second);
    else if (word === "file" && /^[0-9a-f]{64}$/.test(first)) files.set(second, first);
    else if (word === "missing") missingTools.push(rest);
    else values.set(word, rest);
  }
  const uid = values.get("uid") ?? "";
  const architecture = values.get("architecture") ?? "";
  if (!/^\d{1,10}$/.test(uid) || architecture === "") {
    throw new HostError(
      "HOST_FAILED",
      `${place}: a shell there did not answer as sh does: ${text.slice(0, 200)}`,
    );
  }
  return {
    uid: Number(uid),
    architecture,
    machineId: values.get("machine-id") ?? "",
    agent: digestIn(values.get("agent")),
    service: digestIn(values.get("service")),
    hasJournal: values.has("journal"),
    missingTools,
    units,
    files,
  };
}

function digestIn(text: string | undefined): string | undefined {
  return text !== undefined && /^[0-9a-f]{64}$/.test(text) ? text : undefined;
}
