import type { FactReader } from "./fact-reader.ts";
import type { GpuFacts } from "./host-facts.ts";
import { PCI_DIRECTORY, type PciDevice } from "./pci.ts";

/** Makers of GPUs that compute. */
const VENDORS: Readonly<Record<string, string>> = { "10de": "NVIDIA", "1002": "AMD", "8086": "Intel" };

/** Display chips of baseboard controllers that bear AMD's vendor id: ES1000 and Rage XL, and nothing to compute on. */
const SERVER_DISPLAY_CHIPS: ReadonlySet<string> = new Set(["1002:515e", "1002:5969", "1002:4752"]);

async function readHexId(reader: FactReader, path: string): Promise<string | undefined> {
  const text = await reader.line(path);
  if (text === undefined) return undefined;
  const id = /^0x([0-9a-f]{4})$/i.exec(text)?.[1]?.toLowerCase();
  if (id === undefined) reader.note(path, "Not a PCI id");
  return id;
}

/** "16.0 GT/s PCIe"; a virtual function or an emulated device says "Unknown". */
async function readLinkSpeed(reader: FactReader, path: string): Promise<string | null> {
  const speed = await reader.label(path);
  return speed === undefined || /unknown/i.test(speed) ? null : speed;
}

/** Lanes; 0 and 255 stand for a link that is not there. */
async function readLinkWidth(reader: FactReader, path: string): Promise<number | null> {
  const width = await reader.integer(path, ["EINVAL"]);
  return width === undefined || width <= 0 || width >= 255 ? null : width;
}

/** Display controllers (class 03); AMD's Instinct cards from MI300 on are "processing accelerators" (class 12). */
function mayBeGpu(pciClass: string | undefined, vendorId: string): boolean {
  if (pciClass?.startsWith("0x03") === true) return true;
  return pciClass?.startsWith("0x12") === true && vendorId === "1002";
}

/** "Model: \t\t NVIDIA H100 80GB HBM3" */
async function readModel(reader: FactReader, address: string): Promise<string | null> {
  const text = await reader.text(`/proc/driver/nvidia/gpus/${address}/information`);
  return /^Model:\s*(\S.*?)\s*$/m.exec(text ?? "")?.[1] ?? null;
}

async function readGpu(reader: FactReader, device: PciDevice): Promise<GpuFacts | undefined> {
  const directory = `${PCI_DIRECTORY}/${device.address}`;
  const vendorId = await readHexId(reader, `${directory}/vendor`);
  const vendor = vendorId === undefined ? undefined : VENDORS[vendorId];
  if (vendorId === undefined || vendor === undefined || !mayBeGpu(device.pciClass, vendorId))
    return undefined;
  const [deviceId, driver, linkSpeed, linkWidth, maxLinkSpeed, maxLinkWidth] = await Promise.all([
    readHexId(reader, `${directory}/device`),
    reader.driver(directory),
    readLinkSpeed(reader, `${directory}/current_link_speed`),
    readLinkWidth(reader, `${directory}/current_link_width`),
    readLinkSpeed(reader, `${directory}/max_link_speed`),
    readLinkWidth(reader, `${directory}/max_link_width`),
  ]);
  const [driverVersion, model] = await Promise.all([
    driver === undefined ? undefined : reader.label(`/sys/module/${driver}/version`),
    vendorId === "10de" ? readModel(reader, device.address) : null,
  ]);
  if (deviceId === undefined || SERVER_DISPLAY_CHIPS.has(`${vendorId}:${deviceId}`)) return undefined;
  return {
    pciAddress: device.address,
    vendorId,
    deviceId,
    vendor,
    pciClass: device.pciClass ?? "",
    node: device.node,
    driver: driver ?? null,
    driverVersion: driverVersion ?? null,
    model,
    linkSpeed,
    linkWidth,
    maxLinkSpeed,
    maxLinkWidth,
    isLinkNarrow: linkWidth === null || maxLinkWidth === null ? null : linkWidth < maxLinkWidth,
  };
}

/**
 * Reads the GPUs of the host: PCI display controllers of NVIDIA, AMD and Intel. The display of a virtual machine (Bochs,
 * Cirrus, QXL, virtio) or of a baseboard controller (ASPEED, Matrox) is no GPU to tune and is left out.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-bus-pci
 */
export async function readGpus(
  reader: FactReader,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<GpuFacts[]> {
  const candidates = [...pciDevices.values()].filter(({ pciClass }) => /^0x(03|12)/.test(pciClass ?? ""));
  const gpus = await Promise.all(candidates.map((device) => readGpu(reader, device)));
  return gpus.filter((gpu) => gpu !== undefined);
}
