import * as z from "zod";
import { vfKnob } from "./vf-settings.ts";

/** vf.trust: may a virtual function's user change its address, and listen to all packets. */
export const vfTrust = vfKnob<boolean>({
  id: "vf.trust",
  title: "A virtual function's user is trusted",
  unit: "flag",
  risk: { level: "medium", what: "a trusted user can take other addresses and read others' packets" },
  kernelDefault: "off",
  sources: ["https://man7.org/linux/man-pages/man8/ip-link.8.html"],
  absentBecause: "the profile says nothing of trust (sriov[].trust)",
  value: z.boolean(),
  asked: ({ trust }) => trust,
  of: ({ trust }) => trust,
  words: (value) => ["trust", value ? "on" : "off"],
  format: (value) => (value ? "on" : "off"),
});
