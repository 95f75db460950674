import * as z from "zod";
import { vfKnob } from "./vf-settings.ts";

/**
 * vf.mac: the address that a physical function's driver gives a virtual one, and that its user cannot change.
 *
 * A network driver that has the function already keeps its own address until it is bound again, so this is set as soon as
 * the function is made. 00:00:00:00:00:00 stands for none.
 */
export const vfMac = vfKnob<string>({
  id: "vf.mac",
  title: "Address of a virtual function",
  unit: "text",
  risk: { level: "medium", what: "traffic to the former address of the function is lost" },
  kernelDefault: "random, or none until the function's driver takes one",
  sources: [
    "https://man7.org/linux/man-pages/man8/ip-link.8.html",
    "https://docs.kernel.org/PCI/pci-iov-howto.html",
  ],
  absentBecause: "the profile names no addresses of virtual functions (sriov[].macAddresses)",
  value: z.string().regex(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/, "a MAC address as in 02:00:00:00:00:01"),
  asked: (entry, index) => entry.macAddresses[index],
  of: (info) => info.mac,
  words: (value) => ["mac", value],
});
