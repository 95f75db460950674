import type { HostFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import type { Knob, Target, Write } from "./knob.ts";
import { inForce } from "./pending-restart.ts";
import { WRITTEN_BY_US, readServicePid, readUnitAssignments } from "./systemd-unit.ts";

const UNIT = "irqbalance.service";

export const NO_IRQBALANCE = "irqbalance does not run here";

/** irqbalance where it runs and systemd starts it; none where nobody moves interrupts. */
export function irqbalanceTarget(facts: HostFacts): readonly Target[] {
  return isIrqbalanceThere(facts) && facts.initSystem === "systemd" ? [{ name: UNIT }] : [];
}

export function isIrqbalanceThere(facts: HostFacts): boolean {
  return facts.ownership.some(({ owner }) => owner === "irqbalance");
}

interface IrqbalanceVariable {
  /** Spellings of the variable, the one that counts first: irqbalance renamed some. */
  readonly names: readonly [string, ...string[]];
  /** For the names of our files. */
  readonly fileName: string;
  /** What each spelling holds for a value; absent: the value itself. */
  readonly renderText?: (name: string, value: string) => string;
  /** The value from what a spelling holds; absent: the text itself. */
  readonly parseText?: (name: string, text: string) => string;
  /** What the running process has, from /proc/PID; `undefined` when that cannot be told. */
  readonly readRunning: (host: Host, pid: number) => Promise<string | undefined>;
}

/**
 * A setting that irqbalance takes from its environment, set through a drop-in with an environment file of ours that
 * comes after the distribution's (/etc/default/irqbalance on Debian, /etc/sysconfig/irqbalance elsewhere), so that
 * nobody's file is edited. irqbalance is restarted, which takes a moment, and keeps running: a ban given through its
 * socket would need no restart, but the next one would forget it.
 */
export function irqbalanceVariable(
  variable: IrqbalanceVariable,
): Pick<Knob<string>, "read" | "writes" | "isSatisfied"> {
  return {
    async read(host) {
      const starts = await readUnitAssignments(host, UNIT, "ExecStart");
      if (starts.at(-1) === undefined) return undefined;
      const pid = await readServicePid(host, UNIT);
      const running = pid === undefined ? undefined : await variable.readRunning(host, pid);
      return inForce(running, await readConfigured(host, variable));
    },
    writes: (value) => writesOf(variable, value),
    // It is restarted as soon as the files are written, so what it started with has to be in force.
    isSatisfied: (current, wanted) => current === wanted,
  };
}

function writesOf({ names, fileName, renderText }: IrqbalanceVariable, value: string): Write[] {
  const stem = `/etc/systemd/system/${UNIT}.d/50-bedplate-${fileName}`;
  const lines = names.map((name) => `${name}="${renderText?.(name, value) ?? value}"`);
  return [
    { kind: "config-file", path: `${stem}.env`, text: [WRITTEN_BY_US, ...lines, ""].join("\n") },
    {
      kind: "config-file",
      path: `${stem}.conf`,
      text: [WRITTEN_BY_US, "[Service]", `EnvironmentFile=${stem}.env`, ""].join("\n"),
      reloadAtOnce: true,
      reload: [
        ["systemctl", "daemon-reload"],
        ["systemctl", "try-restart", UNIT],
      ],
    },
  ];
}

/** The last file that systemd reads wins; a file whose name has "-" before it may be missing. */
async function readConfigured(host: Host, { names, parseText }: IrqbalanceVariable): Promise<string> {
  const files = await readUnitAssignments(host, UNIT, "EnvironmentFile");
  const texts = await Promise.all(files.map(async (file) => await host.readText(file.replace(/^-/, ""))));
  for (const text of texts.toReversed()) {
    for (const name of names) {
      const found = assignedIn(text ?? "", name);
      if (found !== undefined) return parseText?.(name, found) ?? found;
    }
  }
  return "";
}

/** `NAME="value"`, `NAME='value'` or `NAME=value` of an environment file; the last line counts. */
function assignedIn(text: string, name: string): string | undefined {
  const line = text
    .split("\n")
    .map((candidate) => candidate.trim())
    .findLast((candidate) => candidate.startsWith(`${name}=`));
  return line
    ?.slice(name.length + 1)
    .replace(/^(["'])(.*)\1$/, "$2")
    .trim();
}
