import { setTo } from "./desired.ts";
import { offloadKnob } from "./ethtool-features.ts";

/**
 * ethtool.features.generic-segmentation-offload: a stream goes through the stack in pieces of up to 64 KiB and is cut
 * into packets at the end. TCP's own small queues and its pacing keep pieces short where that matters, so it is on for
 * every preset.
 */
export const ethtoolFeaturesGenericSegmentationOffload = offloadKnob({
  name: "generic-segmentation-offload",
  title: "Sent streams are cut into packets by the kernel at the end",
  risk: { level: "low", what: "a capture on the host shows packets larger than the MTU" },
  kernelDefault: "on",
  sources: [
    "https://docs.kernel.org/networking/segmentation-offloads.html#generic-segmentation-offload",
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
  ],
  desired: () => setTo(true, "the stack's work for each packet is done once for up to 64 KiB of a stream"),
});
