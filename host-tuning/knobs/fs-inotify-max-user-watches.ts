import { clamp, powerOfTwoAtMost, raiseTo } from "./desired.ts";
import { inotifyUse } from "./inotify-use.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** EKS, Bottlerocket and Debian. */
const WANTED = 524_288;
const LEAST = 8192;
/** A watch with the inode that it keeps in memory, on 64-bit kernels. */
const WATCH_BYTES = 1080;
/** Share of RAM that one user's watches may take. Our choice; the kernel itself takes 1 % since 5.11. */
const MEMORY_SHARE = 1 / 50;

/**
 * fs.inotify.max_user_watches: files that the programs of one user watch.
 *
 * Programs that watch a whole tree, as Node's development servers and log collectors do, use one for each folder. Each
 * keeps an inode in memory, so a small host gets less.
 *
 * @unit entries
 * @example 64 GiB: 524 288; 2 GiB: 2 GiB / 50 / 1080 = 39 768, so 32 768
 */
export const fsInotifyMaxUserWatches = integerSysctl({
  id: "fs.inotify.max_user_watches",
  title: "Files that the programs of one user watch",
  unit: "entries",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "about 1 KiB of kernel memory for each watch that is really there" },
  kernelDefault: "by memory since Linux 5.11: 1 % of it, 8192 to 1048576; 8192 before; Debian sets 524288",
  anchors: { "EKS AMI": "524288", TuneD: "openshift-node: 65536" },
  evidence: inotifyUse,
  sources: [
    "https://man7.org/linux/man-pages/man7/inotify.7.html",
    "https://github.com/awslabs/amazon-eks-ami/issues/614",
  ],
  desired(input) {
    const fitting = powerOfTwoAtMost((input.facts.memory.totalBytes * MEMORY_SHARE) / WATCH_BYTES);
    const value = clamp(WANTED, LEAST, Math.max(LEAST, fitting));
    const because =
      value === WANTED
        ? "programs that watch whole trees use one for each folder"
        : `1/50 of memory with ${WATCH_BYTES} bytes for each watch`;
    return raiseTo({ value, because }, input);
  },
});
