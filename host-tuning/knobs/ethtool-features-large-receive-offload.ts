import { leave, setTo } from "./desired.ts";
import { offloadKnob } from "./ethtool-features.ts";

/**
 * ethtool.features.large-receive-offload: the NIC or its driver joins received packets and forgets where they began.
 *
 * Off where the interface hands packets on (routing, bridge): joined packets cannot be cut as they came, so forwarded
 * ones are lost. The kernel switches it off at the moment forwarding is switched on, not when somebody switches it on
 * later. Elsewhere it is left: generic receive offload does the same and keeps the packets' borders.
 */
export const ethtoolFeaturesLargeReceiveOffload = offloadKnob({
  name: "large-receive-offload",
  title: "Received packets are joined by the NIC",
  risk: { level: "medium", what: "some drivers restart their queues; on breaks forwarding" },
  kernelDefault: "off on most drivers; the kernel switches it off where forwarding is switched on",
  sources: [
    "https://man7.org/linux/man-pages/man8/ethtool.8.html",
    "https://github.com/torvalds/linux/blob/v6.12/Documentation/networking/device_drivers/ethernet/intel/ixgbe.rst",
  ],
  desired: (nic) =>
    nic.isForwarding
      ? setTo(false, `${nic.name} hands packets on, and joined ones cannot be cut as they came`)
      : leave("this interface forwards nothing; generic receive offload does the same without harm"),
});
