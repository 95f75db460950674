import { leave, setTo } from "./desired.ts";
import { offloadKnob } from "./ethtool-features.ts";

/**
 * ethtool.features.generic-receive-offload: the kernel joins segments of a stream that came together into one.
 *
 * On again where somebody switched it off: what the stack does for each segment it then does once for up to 64 KiB. For
 * latency it is left: joining waits for nothing but what the same poll brought, so on costs little, and off may be meant.
 */
export const ethtoolFeaturesGenericReceiveOffload = offloadKnob({
  name: "generic-receive-offload",
  title: "Received segments of a stream are joined by the kernel",
  risk: { level: "low", what: "a capture on the host shows joined segments" },
  kernelDefault: "on",
  sources: [
    "https://docs.kernel.org/networking/segmentation-offloads.html#generic-receive-offload",
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
  ],
  desired: (_nic, _facts, profile) =>
    profile.preset === "latency"
      ? leave("small frames of streams are seldom joined, and off may be meant here")
      : setTo(true, "the stack's work for each segment is done once for up to 64 KiB of a stream"),
});
