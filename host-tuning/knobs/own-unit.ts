import type { ToolWrite, Write } from "./knob.ts";
import { WRITTEN_BY_US } from "./systemd-unit.ts";

interface OwnUnit {
  /** "bedplate-zram.service" */
  readonly name: string;
  /** Lines after the first comment, sections and all. */
  readonly lines: readonly string[];
}

const RELOAD: readonly [string, ...string[]] = ["systemctl", "daemon-reload"];

/**
 * Writes that bring a service of ours about: its file, a start at every boot and now. Rollback stops it and removes the
 * files, also when the host has rebooted in between.
 */
export function ownService({ name, lines }: OwnUnit): Write[] {
  return [
    ...unitFiles(name, lines),
    // systemd may know the unit with an older text.
    tool(RELOAD, RELOAD),
    tool(["systemctl", "restart", name], ["systemctl", "stop", name]),
  ];
}

/** The same for a slice, which rollback does not stop, as that would stop what runs in it. */
export function ownSlice({ name, lines }: OwnUnit): Write[] {
  return [...unitFiles(name, lines), tool(["systemctl", "start", name], RELOAD)];
}

/**
 * The unit, and a drop-in that has the boot want it. Not `systemctl enable`: the link that it makes would be a trace
 * outside the journal, and it reads all units again.
 */
function unitFiles(name: string, lines: readonly string[]): Write[] {
  const stem = name.replace(/\.[a-z]+$/, "");
  return [
    {
      kind: "config-file",
      path: `/etc/systemd/system/${name}`,
      text: [WRITTEN_BY_US, ...lines, ""].join("\n"),
      reload: [RELOAD],
    },
    {
      kind: "config-file",
      path: `/etc/systemd/system/multi-user.target.d/50-${stem}.conf`,
      text: [WRITTEN_BY_US, "[Unit]", `Wants=${name}`, ""].join("\n"),
      reload: [RELOAD],
    },
  ];
}

function tool(command: readonly [string, ...string[]], undo: readonly [string, ...string[]]): ToolWrite {
  return { kind: "tool", command, undo, survivesReboot: true };
}
