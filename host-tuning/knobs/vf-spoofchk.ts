import * as z from "zod";
import { vfKnob } from "./vf-settings.ts";

/**
 * vf.spoofchk: packets that a virtual function sends with an address that is not its own are dropped. On wherever the
 * profile does not trust the function's user; with trust it is left, since that user may need other addresses.
 */
export const vfSpoofchk = vfKnob<boolean>({
  id: "vf.spoofchk",
  title: "A virtual function may not send as another",
  unit: "flag",
  risk: { level: "low", what: "a bridge or VM behind the function that uses other addresses is cut off" },
  kernelDefault: "on with most drivers",
  sources: ["https://man7.org/linux/man-pages/man8/ip-link.8.html"],
  absentBecause: "the profile asks for no virtual function without trust",
  value: z.boolean(),
  asked: ({ trust, virtualFunctions }) => (trust === true || virtualFunctions === 0 ? undefined : true),
  of: ({ spoofCheck }) => spoofCheck,
  words: (value) => ["spoofchk", value ? "on" : "off"],
  because: "the profile does not trust this function's user, so it sends with its own address only",
  format: (value) => (value ? "on" : "off"),
});
