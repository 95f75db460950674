import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import { clamp, leave, setTo } from "./desired.ts";
import { readCount, readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";
import { ownService } from "./own-unit.ts";

const UNIT = "bedplate-zram.service";
const GIB = 1024 ** 3;

/** Share of the memory that may stand in the compressed device: a half, as zram-generator takes. What fits costs a third of it or less. */
const MEMORY_SHARE = 0.5;

/** More is not worth its page table and makes a host with much memory slow before it is full. Fedora's limit as well. */
const MAX_BYTES = 8 * GIB;
const MIN_BYTES = 64 * 1024 ** 2;

/** Above disks, so that these are used first only when zram is full. */
const PRIORITY = 100;

/**
 * zram/disksize: compressed swap in memory. Pages that nobody touches cost a third, and a short peak does not end with
 * the OOM killer.
 *
 * Only on the profile's word (swap: "zram") and on a host without swap; one that has swap, zram-generator's included, is
 * left. A unit of ours makes it at every boot. Read is what the kernel lists as swap. Taking it back needs the memory
 * for what lies in it; until then rollback fails and says so.
 *
 * @unit bytes
 * @example 4 GiB of memory: 2 GiB; 64 GiB: 8 GiB
 */
export const zramDisksize = defineKnob<number>({
  id: "zram/disksize",
  title: "Compressed swap in memory",
  family: "memory",
  unit: "bytes",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: true,
  risk: {
    level: "medium",
    what: "CPU time for compression when memory is short; a service that should have been killed runs slowly instead",
  },
  isReversible: true,
  kernelDefault: "0: no such swap",
  kernelRange: "the zram module, since Linux 3.14",
  sources: [
    "https://docs.kernel.org/admin-guide/blockdev/zram.html",
    "https://github.com/systemd/zram-generator/blob/main/man/zram-generator.conf.md",
  ],
  value: z
    .int()
    .min(MIN_BYTES)
    .max(1024 * GIB),

  async read(host) {
    const device = await swapDevice(host);
    if (device !== undefined) return await readCount(host, `/sys/block/${device}/disksize`);
    return (await hasZram(host)) ? 0 : undefined;
  },

  desired({ facts, profile, current }) {
    if (profile.swap !== "zram") return leave('the profile asks for no swap in memory (swap is "leave")');
    if (current > 0) return leave(`host has ${current} bytes of it already`);
    if (facts.memory.swapTotalBytes > 0)
      return leave(`host has ${facts.memory.swapTotalBytes} bytes of other swap, which somebody set up`);
    const bytes = sizeFor(facts);
    return setTo(
      bytes,
      `half of ${facts.memory.totalBytes} bytes of memory, at most ${MAX_BYTES}: a short peak is compressed and not killed`,
    );
  },

  writes: (bytes) =>
    ownService({
      name: UNIT,
      lines: [
        "[Unit]",
        "Description=Compressed swap in memory (bedplate)",
        "[Service]",
        "Type=oneshot",
        "RemainAfterExit=yes",
        "ExecStart=/bin/sh -ec 'modprobe zram; device=$$(zramctl --find --size " +
          `${bytes}); echo $$device > /run/bedplate-zram; mkswap --label bedplate-zram $$device; swapon --priority ${PRIORITY} $$device'`,
        "ExecStop=/bin/sh -ec 'device=$$(cat /run/bedplate-zram); swapoff $$device; zramctl --reset $$device; rm /run/bedplate-zram'",
      ],
    }),

  isSatisfied: (current, wanted) => current >= wanted,
});

/** A half, in whole pages of 64 KiB, within the bounds. */
function sizeFor(facts: HostFacts): number {
  const half = Math.floor((facts.memory.totalBytes * MEMORY_SHARE) / 65_536) * 65_536;
  return clamp(half, MIN_BYTES, MAX_BYTES);
}

/** "zram0" where /proc/swaps lists it. @throws {TuningError} HOST_PARSE when it lists no swaps at all */
async function swapDevice(host: Host): Promise<string | undefined> {
  const path = "/proc/swaps";
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  if (!text.startsWith("Filename"))
    throw new TuningError("HOST_PARSE", path, `Cannot read ${path}: no table of swaps`);
  return /^\/dev\/(zram\d{1,3})\s/m.exec(text)?.[1];
}

/** Loaded, built in, or a module of the running kernel. */
async function hasZram(host: Host): Promise<boolean> {
  if ((await host.readText("/proc/swaps")) === undefined) return false;
  if (await host.exists("/sys/class/zram-control")) return true;
  const release = await readWord(host, "/proc/sys/kernel/osrelease");
  if (release === undefined || !/^[\w.+~-]{1,100}$/.test(release)) return false;
  const lists = await Promise.all(
    ["modules.dep", "modules.builtin"].map(
      async (name) => await host.readText(`/lib/modules/${release}/${name}`),
    ),
  );
  return lists.some((text) => text !== undefined && /\/zram\.ko/.test(text));
}
