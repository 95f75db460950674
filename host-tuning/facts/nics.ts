import { readExceeded } from "./ethtool-statistics.ts";
import { parseDefaultRoutes4, parseDefaultRoutes6 } from "./default-routes.ts";
import type { FactReader } from "./fact-reader.ts";
import type { IrqFacts, NicFacts } from "./host-facts.ts";
import { PCI_DIRECTORY, type PciDevice, pciAddressOf } from "./pci.ts";

const NET_DIRECTORY = "/sys/class/net";

/** Vectors that carry packets, by the names that drivers give them; the rest (config, mgmnt, async) do not. */
const QUEUE_VECTOR = /TxRx|Tx-Rx|-fp-|(^|-)(rx|tx)-?\d|-q\d+|_comp\d+|^virtio\d+-(input|output)|gve-ntfy/i;
const SERVICE_VECTOR = /mgmnt|mgmt|config|async|misc|mbx|ctrl|control|adminq|aq$|event|cmd/i;

/** Interrupts of a NIC's queues among all of its device: those named as queues, else all but those that serve the driver. */
export function queueIrqs(irqs: readonly Pick<IrqFacts, "irq" | "action">[]): number[] {
  const queues = irqs.filter(({ action }) => QUEUE_VECTOR.test(action));
  const chosen = queues.length > 0 ? queues : irqs.filter(({ action }) => !SERVICE_VECTOR.test(action));
  return chosen.map(({ irq }) => irq).toSorted((a, b) => a - b);
}

/** Interrupts that belong to a NIC: those of its PCI function; for one without (Xen, Hyper-V), those with its name in them. */
function irqsOf(name: string, device: PciDevice | undefined, irqs: readonly IrqFacts[]): IrqFacts[] {
  if (device !== undefined) {
    const own = new Set(device.irqs);
    return irqs.filter(({ irq }) => own.has(irq));
  }
  return irqs.filter(({ action }) => action.split(/[-@:, ]/).includes(name));
}

type VirtualFunction = NonNullable<NicFacts["sriov"]>["functions"][number];

async function readFunction(
  reader: FactReader,
  link: string,
  index: number,
): Promise<VirtualFunction | undefined> {
  const path = await reader.realPath(link);
  const pciAddress = path === undefined ? null : pciAddressOf(path);
  if (path === undefined || pciAddress === null) return undefined;
  const [driver, interfaces, hasIommuGroup] = await Promise.all([
    reader.driver(path),
    reader.entries(`${path}/net`),
    reader.exists(`${path}/iommu_group`),
  ]);
  return { index, pciAddress, driver: driver ?? null, netdev: interfaces[0] ?? null, hasIommuGroup };
}

async function readSriov(
  reader: FactReader,
  device: PciDevice | undefined,
): Promise<Pick<NicFacts, "sriov" | "isVirtualFunction">> {
  if (device === undefined) return { sriov: null, isVirtualFunction: false };
  const directory = `${PCI_DIRECTORY}/${device.address}`;
  const [total, current, entries] = await Promise.all([
    reader.count(`${directory}/sriov_totalvfs`),
    reader.count(`${directory}/sriov_numvfs`),
    reader.entries(directory),
  ]);
  const indexes = entries.flatMap((entry) => /^virtfn(\d{1,4})$/.exec(entry)?.[1] ?? []);
  const functions = await Promise.all(
    indexes.map((index) => readFunction(reader, `${directory}/virtfn${index}`, Number(index))),
  );
  return {
    sriov:
      total === undefined
        ? null
        : {
            totalVirtualFunctions: total,
            virtualFunctions: current ?? 0,
            functions: functions.filter((found) => found !== undefined).toSorted((a, b) => a.index - b.index),
          },
    // Only a virtual function has a link to its physical one. In a guest it is gone: there it is a NIC like others.
    isVirtualFunction: entries.includes("physfn"),
  };
}

/** EINVAL is a link that is down, EOPNOTSUPP a driver that names no speed; -1 and 2^32-1 are "unknown". */
async function readSpeed(reader: FactReader, directory: string): Promise<number | null> {
  const speed = await reader.integer(`${directory}/speed`, ["EINVAL", "EOPNOTSUPP", "ENOTSUP"]);
  return speed === undefined || speed <= 0 || speed >= 2 ** 32 - 1 ? null : speed;
}

/**
 * The port of a virtual function as the PF's switch sees it (a representor): it has the PF's device and is none itself.
 *
 * @see https://docs.kernel.org/networking/representors.html
 */
async function isRepresentor(reader: FactReader, directory: string): Promise<boolean> {
  const port = await reader.line(`${directory}/phys_port_name`, ["EOPNOTSUPP", "ENOTSUP"]);
  return port !== undefined && /^(c\d+)?pf\d+(vf|sf)\d+$/.test(port);
}

/** What an interface is, by the folders that the kernel gives it: `bonding` to a bond, `bridge` to a bridge. */
function kindOf(entries: readonly string[], isPhysical: boolean): NicFacts["kind"] {
  if (isPhysical) return "device";
  if (entries.includes("bonding")) return "bond";
  return entries.includes("bridge") ? "bridge" : "other";
}

/** Does the kernel hand packets from this interface on: by routing (either family), or as a bridge's port. */
async function readForwarding(
  reader: FactReader,
  name: string,
  entries: readonly string[],
): Promise<boolean> {
  if (entries.includes("brport")) return true;
  const switches = await Promise.all(
    ["ipv4", "ipv6"].map((family) => reader.integer(`/proc/sys/net/${family}/conf/${name}/forwarding`)),
  );
  return switches.some((value) => value !== undefined && value > 0);
}

async function readNic(
  reader: FactReader,
  name: string,
  pciDevices: ReadonlyMap<string, PciDevice>,
  irqs: readonly IrqFacts[],
): Promise<NicFacts | undefined> {
  const directory = `${NET_DIRECTORY}/${name}`;
  // Plain files lie here too, as bonding_masters; the entries of a device tell it from them.
  const entries = await reader.entries(directory);
  if (entries.length === 0) return undefined;
  const [devicePath, driver, isSwitchPort, address, speed, mtu, operState, queues, master, isForwarding] =
    await Promise.all([
      reader.realPath(`${directory}/device`),
      reader.driver(`${directory}/device`),
      isRepresentor(reader, directory),
      reader.label(`${directory}/address`),
      readSpeed(reader, directory),
      reader.count(`${directory}/mtu`),
      reader.label(`${directory}/operstate`),
      reader.entries(`${directory}/queues`),
      reader.linkName(`${directory}/master`),
      readForwarding(reader, name, entries),
    ]);
  const pciAddress = devicePath === undefined ? null : pciAddressOf(devicePath);
  const device = pciAddress === null ? undefined : pciDevices.get(pciAddress);
  const isPhysical = devicePath !== undefined && !isSwitchPort;
  return {
    name,
    driver: driver ?? null,
    pciAddress,
    node: device?.node ?? null,
    macAddress: address ?? null,
    speedMbitPerSec: speed,
    mtuBytes: mtu ?? null,
    operState: operState ?? null,
    isPhysical,
    carriesDefaultRoute: false,
    rxQueues: queues.filter((queue) => /^rx-\d+$/.test(queue)).length,
    txQueues: queues.filter((queue) => /^tx-\d+$/.test(queue)).length,
    irqs: isPhysical ? queueIrqs(irqsOf(name, device, irqs)) : [],
    ...(await readSriov(reader, isPhysical ? device : undefined)),
    kind: kindOf(entries, isPhysical),
    master: master ?? null,
    lower: entries.flatMap((entry) => /^lower_(.+)$/.exec(entry)?.[1] ?? []),
    isForwarding,
    exceeded: driver === "ena" ? await readExceeded(reader.host, name) : {},
  };
}

/**
 * Names of the devices with a default route and of what they are built on down to the wire: cutting any of these cuts the
 * host off. A container's port in the same bridge (veth, tap) leads nowhere and is none of them.
 */
function withLower(direct: Iterable<string>, nics: readonly NicFacts[]): Set<string> {
  const byName = new Map(nics.map((nic) => [nic.name, nic]));
  const found = new Set<string>();
  const open = [...direct];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    const ports = (byName.get(name)?.lower ?? []).flatMap((port) => byName.get(port) ?? []);
    const ways = ports.filter(({ isPhysical, lower }) => isPhysical || lower.length > 0);
    open.push(...ways.map((way) => way.name));
  }
  return found;
}

/**
 * Reads every network interface of our network namespace from /sys/class/net, with its queues, its PCI function and
 * its interrupts. Virtual ones (bridge, bond, veth, VLAN, loopback) have no `device` and count as not physical.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-class-net
 */
export async function readNics(
  reader: FactReader,
  pciDevices: ReadonlyMap<string, PciDevice>,
  irqs: readonly IrqFacts[],
): Promise<NicFacts[]> {
  const [names, routes4, routes6] = await Promise.all([
    reader.entries(NET_DIRECTORY),
    reader.text("/proc/net/route"),
    reader.text("/proc/net/ipv6_route"),
  ]);
  const readings = await Promise.all(names.map((name) => readNic(reader, name, pciDevices, irqs)));
  const nics = readings.filter((reading) => reading !== undefined);
  const carriers = withLower(
    [...parseDefaultRoutes4(routes4 ?? ""), ...parseDefaultRoutes6(routes6 ?? "")],
    nics,
  );
  return nics.map((nic) => ({ ...nic, carriesDefaultRoute: carriers.has(nic.name) }));
}
