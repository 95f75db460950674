import type { Write } from "./knob.ts";
import { WRITTEN_BY_US } from "./systemd-unit.ts";

interface OwnUnit {
  /** "bedplate-zram.service" */
  readonly name: string;
  /** Lines after the first comment, sections and all. Has an [Install] section, since it is enabled. */
  readonly lines: readonly string[];
  /** What rollback does before the file goes; a slice is not stopped, as that would stop what runs in it. */
  readonly undo: "stop" | "leave running";
}

/** Where a unit of ours stands. */
export function ownUnitPath(name: string): string {
  return `/etc/systemd/system/${name}`;
}

/**
 * Writes that bring a unit of ours about: its file, started at every boot and now. Rollback stops it where it may, takes
 * it out of the boot and removes the file, also when the host has rebooted in between.
 */
export function ownUnit({ name, lines, undo }: OwnUnit): Write[] {
  const reload: readonly [string, ...string[]] = ["systemctl", "daemon-reload"];
  return [
    {
      kind: "config-file",
      path: ownUnitPath(name),
      text: [WRITTEN_BY_US, ...lines, ""].join("\n"),
      reload: [reload],
    },
    {
      kind: "tool",
      // Reads systemd's files again by itself, so that the new unit is known to the next command.
      command: ["systemctl", "enable", name],
      undo: ["systemctl", "disable", name],
      survivesReboot: true,
    },
    {
      kind: "tool",
      command: ["systemctl", undo === "stop" ? "restart" : "start", name],
      undo: undo === "stop" ? ["systemctl", "stop", name] : reload,
      survivesReboot: true,
    },
  ];
}
