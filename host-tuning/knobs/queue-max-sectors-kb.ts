import { leave, raiseTo } from "./desired.ts";
import { queueFileKnob, SYSFS_BLOCK } from "./queue-file.ts";

/** Largest request worth having: at 1 GB/s it holds a queue for 1 ms. Our choice; Linux 6.14 raised its own cap to 4 MiB. */
const LARGEST_KIB = 1024;

/**
 * queue/max_sectors_kb: the largest request that the kernel makes of a file's pages.
 *
 * The kernel takes the device's own limit, capped (1280 KiB until Linux 6.13), and lowers it where a device asks for an
 * optimal size. A host that goes for throughput gets up to 1 MiB where the device takes it; one that goes for latency
 * keeps what it has, as nothing else moves on that queue meanwhile. Never above `max_hw_sectors_kb` (EINVAL).
 */
export const queueMaxSectorsKb = queueFileKnob({
  file: "max_sectors_kb",
  title: "Largest request to a disk",
  unit: "KiB",
  least: 4,
  most: 65_536,
  risk: { level: "low", what: "a small request waits behind a larger one" },
  kernelDefault: "the device's limit, at most 1280 KiB; 4096 KiB since Linux 6.14",
  anchors: { TuneD: "disk plugin, set by no stock profile", saptune: "block section of a note" },
  sources: [SYSFS_BLOCK, "https://github.com/torvalds/linux/blob/v6.1/block/blk-settings.c"],

  rule({ device, profile, current }) {
    if (profile.preset === "latency" || profile.preset === "balanced") {
      return leave(`a larger request makes others wait, and the preset is ${profile.preset}`);
    }
    if (device.maxHwSectorsKiB === null) return leave("the device does not say what it takes at most");
    const value = Math.min(device.maxHwSectorsKiB, LARGEST_KIB);
    if (value < 4) return leave(`the device takes ${device.maxHwSectorsKiB} KiB at most`);
    const because =
      value === LARGEST_KIB
        ? "large requests, and the device takes them"
        : `large requests, up to the device's ${device.maxHwSectorsKiB} KiB`;
    return raiseTo({ value, because }, { current, profile });
  },
});
