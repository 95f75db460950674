import * as z from "zod";
import { pciAddressOf } from "../facts/pci.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { type Target, defineKnob } from "./knob.ts";
import { askedOf } from "./nic-targets.ts";
import { VF_FIELDS, functionNic, functionTargets, parseFunctionTarget } from "./vf-settings.ts";
import { entriesFor, passthroughRefusal } from "./virtual-functions.ts";

/** "network" is whatever network driver knows the device; "none" is a function that no driver has. */
const bindingSchema = z.preprocess(
  (value) => (typeof value === "string" ? { driver: value } : value),
  z.strictObject({
    driver: z.string().regex(/^[A-Za-z0-9_-]{1,32}$/, 'a driver as in "vfio-pci", or "network"'),
    address: z
      .string()
      .regex(/^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/)
      .optional(),
    override: z
      .string()
      .regex(/^[A-Za-z0-9_-]*$/)
      .optional(),
  }),
);

type Binding = z.output<typeof bindingSchema>;

/**
 * Gives a PCI function to another driver. driver_override is emptied by a line feed: the "(null)" that it reads back as
 * would be taken for a driver's name. `drivers_probe` says nothing when no driver takes the function, so read tells.
 */
const BIND = `
device=/sys/bus/pci/devices/$1
[ -z "$2" ] || modprobe "$2" 2>/dev/null || true
echo "$2" > "$device/driver_override" || exit 1
[ ! -e "$device/driver" ] || echo "$1" > "$device/driver/unbind" || exit 1
[ "$3" = none ] || echo "$1" > /sys/bus/pci/drivers_probe
`.trim();

/**
 * vf.driver: who has a virtual function: a network driver of this host, or vfio-pci, which hands it to user space (DPDK,
 * a VM).
 *
 * vfio-pci is refused where it could not work or not safely: without an IOMMU the function could write anywhere in
 * memory, and kernel lockdown keeps user space from devices.
 */
export const vfDriver = defineKnob<Binding>({
  ...VF_FIELDS,
  id: "vf.driver",
  title: "Driver of a virtual function",
  unit: "text",
  after: ["vf.vlan", "vf.trust", "vf.spoofchk", "vf.mtu", "vf.mac", "sriov_numvfs"],
  risk: { level: "high", what: "the function's interface goes away, with every connection over it" },
  kernelDefault: "the network driver that knows it",
  sources: [
    "https://docs.kernel.org/driver-api/vfio.html",
    "https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci",
    "https://man7.org/linux/man-pages/man7/kernel_lockdown.7.html",
  ],
  absentBecause: "the profile asks for no virtual functions",
  value: bindingSchema,

  targets: (facts, profile) =>
    functionTargets(facts, profile, ({ virtualFunctions }, index) => index < virtualFunctions),

  read: (host, target) => readBinding(host, target),

  desired({ facts, profile, target, current }) {
    const nic = functionNic(facts, target);
    if (nic === undefined) return leave("the facts do not have this NIC");
    const asked = askedOf(entriesFor(nic, profile).map(({ driver }) => driver));
    if (asked.disagree !== undefined) return leave(asked.disagree);
    if (asked.value === undefined) return leave("the profile asks nothing of this function");
    if (asked.value === "network") {
      if (current.driver === "none") return leave("no driver has it: load the network driver of this device");
      return setTo({ driver: "network" }, "the profile wants it to be an interface of this host");
    }
    const refusal = passthroughRefusal(facts);
    if (refusal !== undefined) return leave(`refused: ${refusal}`);
    return setTo({ driver: asked.value }, "the profile hands it to user space (vfio-pci)");
  },

  writes(value, _target, before) {
    const { address } = before;
    if (address === undefined) return [];
    const wanted = value.driver === "network" ? "" : (value.override ?? value.driver);
    return [
      {
        kind: "tool",
        command: ["sh", "-c", BIND, "bind", address, wanted, value.driver],
        undo: ["sh", "-c", BIND, "bind", address, before.override ?? "", before.driver],
      },
    ];
  },

  isSatisfied: (current, wanted) =>
    wanted.driver === "network"
      ? current.driver !== "vfio-pci" && current.driver !== "none"
      : current.driver === wanted.driver,
  format: ({ driver }) => driver,
  explainShortfall: (wanted) =>
    `no driver ${wanted.driver} took it: the module may be missing, or its IOMMU group is shared`,
});

async function readBinding(host: Host, target: Target): Promise<Binding | undefined> {
  const parsed = parseFunctionTarget(target);
  if (parsed === undefined) return undefined;
  const path = await host.realPath(`/sys/class/net/${parsed.nic}/device/virtfn${parsed.index}`);
  const address = path === undefined ? null : pciAddressOf(path);
  if (path === undefined || address === null) return undefined;
  const [driver, override] = await Promise.all([
    host.realPath(`${path}/driver`),
    readWord(host, `${path}/driver_override`),
  ]);
  return {
    driver: driver?.split("/").at(-1) ?? "none",
    address,
    ...(override === undefined || override === "(null)" || override === "" ? {} : { override }),
  };
}
