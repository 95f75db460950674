import { raiseTo } from "./desired.ts";
import { openFiles } from "./open-files.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/** The kernel's default. */
const KERNEL_DEFAULT = 1_048_576;

/** INT_MAX rounded down to a multiple of 64, the kernel's own limit. */
const KERNEL_MOST = 2_147_483_584;

/**
 * fs.nr_open: the largest number of open files that any process may be given.
 *
 * It caps LimitNOFILE: where a unit asks for more, systemd gives it less without a word. So it is at least the service's hard
 * limit, and otherwise stays; the preset has no say.
 *
 * @unit files
 * @example 600 000 connections: soft 1 048 576, hard and nr_open 4 194 304
 */
export const fsNrOpen = integerSysctl({
  id: "fs.nr_open",
  title: "Open files that one process may be given at most",
  unit: "files",
  scope: "host",
  takesEffect: "new-processes",
  range: [64, KERNEL_MOST],
  risk: {
    level: "low",
    what: "a service with LimitNOFILE=infinity gets this many and may crawl through them",
  },
  kernelDefault: "1048576; systemd may raise it at boot",
  anchors: { saptune: "a constant by note" },
  sources: ["https://docs.kernel.org/admin-guide/sysctl/fs.html#nr-open"],
  desired(input) {
    const { hard, because } = openFiles(input.profile);
    return raiseTo(
      {
        value: Math.max(KERNEL_DEFAULT, hard),
        because: `the service's hard limit is ${hard} files and may not exceed it (${because})`,
      },
      input,
    );
  },
});
