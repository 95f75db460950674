import { InputError } from "../errors.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { AnyKnob, Target } from "../knobs/knob.ts";

/**
 * Chooses the steps that act on one device: itself, its queues and its interrupts. Whole-host settings are not chosen,
 * also where the new device would change what they should be: they are for the next apply.
 *
 * @param name of a NIC or disk as the kernel has it (eth0, nvme0n1), or a PCI address
 * @throws {InputError} when this host has no such device
 */
export function targetsOfDevice(facts: HostFacts, name: string): (knob: AnyKnob, target: Target) => boolean {
  const devices = [...facts.nics, ...facts.blockDevices].filter(
    (device) => device.name === name || device.pciAddress === name,
  );
  const isGpu = facts.gpus.some((gpu) => gpu.pciAddress === name);
  if (devices.length === 0 && !isGpu) {
    throw new InputError("--device", [
      {
        path: JSON.stringify(name),
        message: "no NIC, disk or GPU of this host has that name or PCI address",
      },
    ]);
  }
  const names = new Set([...devices.map((device) => device.name), ...(isGpu ? [name] : [])]);
  const addresses = new Set([...devices.map((device) => device.pciAddress), ...(isGpu ? [name] : [])]);
  const irqs = new Set([
    ...facts.irqs
      .filter((irq) => irq.pciAddress !== null && addresses.has(irq.pciAddress))
      .map(({ irq }) => irq),
    ...facts.nics.filter((nic) => names.has(nic.name)).flatMap((nic) => nic.irqs),
  ]);
  return (_knob, target) => {
    const [first = ""] = target.name.split("/");
    const irq = /^irq (\d+)$/.exec(target.name)?.[1];
    return names.has(first) || (irq !== undefined && irqs.has(Number(irq)));
  };
}
