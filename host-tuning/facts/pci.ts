import type { FactReader } from "./fact-reader.ts";
import { parseInteger } from "./fact-reader.ts";
import type { NodeReading } from "./numa.ts";

export const PCI_DIRECTORY = "/sys/bus/pci/devices";

export interface PciDevice {
  readonly address: string;
  /** As the file has it, 0x030200; `undefined` when it cannot be understood. */
  readonly pciClass: string | undefined;
  readonly node: number | null;
  /** Its message-signalled interrupts; its one pin interrupt where it has none. */
  readonly irqs: readonly number[];
}

const ADDRESS = /^[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/;

/**
 * The PCI function that a device is or hangs from, out of its path in /sys/devices: the last address in it. `null` for
 * what is reached over a bus of its own on the way (USB), since that function is only its controller.
 */
export function pciAddressOf(devicePath: string): string | null {
  const parts = devicePath.split("/");
  if (parts.some((part) => /^usb\d+$/.test(part))) return null;
  return parts.findLast((part) => ADDRESS.test(part)) ?? null;
}

/**
 * NUMA node of a PCI function: `numa_node`; where that is absent or -1, the node whose CPUs are exactly its local CPUs
 * (firmware of old machines names those only). `null` when neither tells.
 */
async function readNode(
  reader: FactReader,
  directory: string,
  nodes: readonly NodeReading[],
): Promise<number | null> {
  const [named, localCpus] = await Promise.all([
    reader.integer(`${directory}/numa_node`),
    reader.listOrMask(`${directory}/local_cpulist`, `${directory}/local_cpus`),
  ]);
  if (named !== undefined && nodes.some((node) => node.id === named)) return named;
  if (named !== undefined && named !== -1 && nodes.length > 0) {
    reader.note(`${directory}/numa_node`, `Names node ${named}, which this host does not have`);
  }
  if (nodes.length < 2 || localCpus === undefined || localCpus.length === 0) return null;
  const key = localCpus.join();
  return nodes.find((node) => node.cpus.join() === key)?.id ?? null;
}

async function readIrqs(reader: FactReader, directory: string): Promise<number[]> {
  const messages = (await reader.entries(`${directory}/msi_irqs`)).flatMap(
    (name) => parseInteger(name) ?? [],
  );
  if (messages.length > 0) return messages.toSorted((a, b) => a - b);
  const pin = await reader.integer(`${directory}/irq`);
  return pin === undefined || pin <= 0 ? [] : [pin];
}

/**
 * Reads every PCI function of the host.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci
 */
export async function readPciDevices(
  reader: FactReader,
  nodes: readonly NodeReading[],
): Promise<ReadonlyMap<string, PciDevice>> {
  const addresses = (await reader.entries(PCI_DIRECTORY)).filter((name) => ADDRESS.test(name));
  const devices = await Promise.all(
    addresses.map(async (address): Promise<PciDevice> => {
      const directory = `${PCI_DIRECTORY}/${address}`;
      const [text, node, irqs] = await Promise.all([
        reader.line(`${directory}/class`),
        readNode(reader, directory, nodes),
        readIrqs(reader, directory),
      ]);
      const pciClass = text !== undefined && /^0x[0-9a-f]{6}$/i.test(text) ? text.toLowerCase() : undefined;
      if (text !== undefined && pciClass === undefined) reader.note(`${directory}/class`, "Not a PCI class");
      return { address, pciClass, node, irqs };
    }),
  );
  return new Map(devices.map((device) => [device.address, device]));
}
