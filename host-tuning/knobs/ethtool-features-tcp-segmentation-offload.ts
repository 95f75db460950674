import { setTo } from "./desired.ts";
import { offloadKnob } from "./ethtool-features.ts";

/**
 * ethtool.features.tcp-segmentation-offload: the NIC cuts a stream into packets. On where the driver has it: each reply
 * larger than a packet is handed over once.
 */
export const ethtoolFeaturesTcpSegmentationOffload = offloadKnob({
  name: "tcp-segmentation-offload",
  title: "Sent streams are cut into packets by the NIC",
  risk: {
    level: "low",
    what: "drivers with faulty hardware switch it off for a reason: see the kernel's log",
  },
  kernelDefault: "on where the driver has it",
  sources: [
    "https://docs.kernel.org/networking/segmentation-offloads.html#tcp-segmentation-offload",
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
  ],
  desired: () =>
    setTo(true, "the NIC cuts up to 64 KiB of a stream into packets, so they are handed over once"),
});
