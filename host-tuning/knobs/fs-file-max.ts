import { leave, raiseTo } from "./desired.ts";
import { firstNumbers } from "./kernel-counters.ts";
import { openFiles } from "./open-files.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** Files of everything else on the host. Our choice. */
const OTHER_PROCESSES = 65_536;

/** systemd's 2^63-1 as it is read: more than a number holds exactly. */
const NO_LIMIT = Number.MAX_SAFE_INTEGER;

/**
 * fs.file-max: open files of all processes together.
 *
 * systemd sets it to 2^63-1 at boot, so on most hosts there is nothing to do. Where it is lower (the kernel's own is one
 * file for each 10 KiB of memory) it has to hold the service twice, for the overlap of a restart.
 *
 * @unit files
 * @example 50 000 connections: twice 65 536 and 65 536 for the rest, 196 608
 */
export const fsFileMax = integerSysctl({
  id: "fs.file-max",
  title: "Open files of all processes together",
  unit: "files",
  scope: "host",
  takesEffect: "now",
  range: [0, Number.MAX_SAFE_INTEGER],
  risk: { level: "low", what: "each open file takes about 256 bytes of kernel memory" },
  kernelDefault: "one for each 10 KiB of memory; systemd raises it to 9223372036854775807",
  anchors: { saptune: "a constant by note" },
  evidence: firstNumbers({ "allocated now": "/proc/sys/fs/file-nr" }),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/fs.html#file-max-file-nr"],
  format: (value) => (value === NO_LIMIT ? "2^53 or more" : String(value)),
  desired(input) {
    const { soft } = openFiles(input.profile);
    const value = 2 * soft + OTHER_PROCESSES;
    const because = `twice the service's ${soft} files, for the overlap of a restart, and ${OTHER_PROCESSES} for the rest of the host`;
    if (input.current === NO_LIMIT && !input.profile.allowLowering)
      return leave(`host has no limit to speak of, and ${value} are needed: ${because}`);
    return raiseTo({ value, because }, input);
  },
});
