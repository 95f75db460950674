import type { FactReader } from "./fact-reader.ts";
import type { RdmaFacts } from "./host-facts.ts";
import { type PciDevice, pciAddressOf } from "./pci.ts";

const RDMA_DIRECTORY = "/sys/class/infiniband";

/** A port has as many as its GID table, mostly empty rows: those that are used come first. Our choice. */
const MAX_GIDS_READ = 16;

type RdmaDevice = RdmaFacts["devices"][number];

/** "4: ACTIVE" is ACTIVE. */
function nameOf(state: string | undefined): string | null {
  return state?.replace(/^\d+:\s*/, "") ?? null;
}

/** GID types of a port with its interface. An empty row gives EINVAL, which is an answer. */
async function readGids(
  reader: FactReader,
  directory: string,
): Promise<{ readonly types: string[]; readonly netdev: string | undefined }> {
  const rows = (await reader.entries(`${directory}/gid_attrs/types`))
    .flatMap((name) => (/^\d{1,4}$/.test(name) ? [Number(name)] : []))
    .toSorted((a, b) => a - b)
    .slice(0, MAX_GIDS_READ);
  const found = await Promise.all(
    rows.map(async (row) => ({
      type: await reader.line(`${directory}/gid_attrs/types/${row}`, ["EINVAL"]),
      netdev: await reader.line(`${directory}/gid_attrs/ndevs/${row}`, ["EINVAL"]),
    })),
  );
  const types = new Set(found.flatMap(({ type }) => type ?? []));
  return { types: [...types].toSorted(), netdev: found.find(({ netdev }) => netdev !== undefined)?.netdev };
}

async function readPort(
  reader: FactReader,
  device: string,
  port: number,
): Promise<RdmaDevice["ports"][number]> {
  const directory = `${RDMA_DIRECTORY}/${device}/ports/${port}`;
  const [state, physicalState, linkLayer, rate, gids] = await Promise.all([
    reader.label(`${directory}/state`),
    reader.label(`${directory}/phys_state`),
    reader.label(`${directory}/link_layer`),
    reader.label(`${directory}/rate`),
    readGids(reader, directory),
  ]);
  return {
    port,
    state: nameOf(state),
    physicalState: nameOf(physicalState),
    linkLayer: linkLayer ?? null,
    rate: rate ?? null,
    netdev: gids.netdev ?? null,
    gidTypes: gids.types,
  };
}

async function readDevice(
  reader: FactReader,
  name: string,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<RdmaDevice> {
  const directory = `${RDMA_DIRECTORY}/${name}`;
  // A software device (rxe, siw) has no `device` of its own; its `parent` names the interface below it.
  const [devicePath, driver, nodeGuid, firmware, ports] = await Promise.all([
    reader.realPath(`${directory}/device`),
    reader.driver(`${directory}/device`),
    reader.label(`${directory}/node_guid`),
    reader.label(`${directory}/fw_ver`),
    reader.entries(`${directory}/ports`),
  ]);
  const pciAddress = devicePath === undefined ? null : pciAddressOf(devicePath);
  const numbers = ports.flatMap((port) => (/^\d{1,3}$/.test(port) ? [Number(port)] : []));
  return {
    name,
    driver: driver ?? null,
    pciAddress,
    node: pciAddress === null ? null : (pciDevices.get(pciAddress)?.node ?? null),
    nodeGuid: nodeGuid ?? null,
    firmware: firmware ?? null,
    isEfa: driver === "efa",
    ports: await Promise.all(numbers.toSorted((a, b) => a - b).map((port) => readPort(reader, name, port))),
  };
}

/** What /sys/module/ib_core/parameters/netns_mode says: Y is shared. */
async function readNetnsMode(reader: FactReader): Promise<RdmaFacts["netnsMode"]> {
  const path = "/sys/module/ib_core/parameters/netns_mode";
  const mode = await reader.line(path);
  if (mode === "Y") return "shared";
  if (mode === "N") return "exclusive";
  if (mode !== undefined) reader.note(path, "Neither Y nor N");
  return null;
}

async function readOpenModule(reader: FactReader): Promise<boolean | null> {
  const text = await reader.text("/proc/driver/nvidia/version");
  return text === undefined ? null : text.includes("Open Kernel Module");
}

/**
 * Reads RDMA devices (InfiniBand, RoCE, iWARP, EFA, soft-RoCE) with their ports, and what GPUDirect RDMA needs.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/stable/sysfs-class-infiniband
 */
export async function readRdma(
  reader: FactReader,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<RdmaFacts> {
  const peerModules = ["nvidia_peermem", "nv_peer_mem"];
  const [names, netnsMode, hasOpenNvidiaModule, loaded] = await Promise.all([
    reader.entries(RDMA_DIRECTORY),
    readNetnsMode(reader),
    readOpenModule(reader),
    Promise.all(peerModules.map((module) => reader.exists(`/sys/module/${module}`))),
  ]);
  return {
    devices: await Promise.all(names.map((name) => readDevice(reader, name, pciDevices))),
    netnsMode,
    peerMemoryModule: peerModules.find((_, index) => loaded[index] === true) ?? null,
    hasOpenNvidiaModule,
  };
}
