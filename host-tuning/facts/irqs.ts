import { formatKernelList } from "../sys/kernel-list.ts";
import { type FactReader, parseInteger } from "./fact-reader.ts";
import type { IrqFacts } from "./host-facts.ts";
import type { PciDevice } from "./pci.ts";

const SYS_IRQ_DIRECTORY = "/sys/kernel/irq";
const DEBUG_DIRECTORY = "/sys/kernel/debug/irq/irqs";

/**
 * Parses /proc/interrupts to action names by interrupt number. Its columns are one count for each CPU, the chip, the
 * hardware number with the trigger (`0-edge` on x86, `30 Level` on Arm), then the actions. Lines without a number
 * (NMI, LOC) belong to the architecture and to no device.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#kernel-data
 */
export function parseInterrupts(text: string): ReadonlyMap<number, string> {
  const lines = text.split("\n");
  const cpuCount = (lines[0]?.match(/\bCPU\d+/g) ?? []).length;
  const actions = new Map<number, string>();
  for (const line of lines.slice(1)) {
    const match = /^\s*(\d{1,7}):\s*(.*)$/.exec(line);
    const words = (match?.[2] ?? "").split(/\s+/).slice(cpuCount);
    const trigger = words.findIndex((word) => /^(\d+-)?(edge|level|fasteoi|none)$/i.test(word));
    const action = trigger === -1 ? "" : words.slice(trigger + 1).join(" ");
    if (match?.[1] !== undefined && action !== "") actions.set(Number(match[1]), action);
  }
  return actions;
}

/** Interrupts with an action, from /sys/kernel/irq (since Linux 4.9), which is exact; else from /proc/interrupts. */
async function readActions(reader: FactReader): Promise<ReadonlyMap<number, string>> {
  const numbers = (await reader.entries(SYS_IRQ_DIRECTORY)).flatMap((name) => parseInteger(name) ?? []);
  if (numbers.length === 0) return parseInterrupts((await reader.text("/proc/interrupts")) ?? "");
  const actions = await Promise.all(
    numbers.map((irq) => reader.label(`${SYS_IRQ_DIRECTORY}/${irq}/actions`)),
  );
  return new Map(
    numbers.flatMap((irq, index) => {
      const action = actions[index];
      return action === undefined || action === "(null)" ? [] : [[irq, action] as const];
    }),
  );
}

/**
 * Does the kernel own the affinity of this interrupt, by what its driver is known to ask for. NVMe and virtio-blk spread
 * their queue vectors themselves (pci_alloc_irq_vectors_affinity); their admin and configuration vectors, and network
 * drivers, leave it to user space. `null` for drivers that are not known.
 *
 * @see https://github.com/torvalds/linux/blob/v6.12/drivers/nvme/host/pci.c
 * @see https://github.com/torvalds/linux/blob/v6.12/drivers/block/virtio_blk.c
 */
export function isManagedByDriver(action: string, pciClass: string | undefined): boolean | null {
  if (/^nvme\d+q[1-9]\d*$/.test(action)) return true;
  if (/^nvme\d+q0$/.test(action)) return false;
  // virtio-blk names its queues req.N, virtio-scsi "request"; its event and control queues come before them.
  if (/^virtio\d+-(req\.\d+|request)$/.test(action)) return true;
  // virtio-fs ("requests.N") came to spread its queues later; the other virtio drivers never have.
  if (/^virtio\d+-(?!request)/.test(action)) return false;
  if (pciClass?.startsWith("0x02") === true) return false;
  return null;
}

/** debugfs says it for every interrupt, where the kernel has CONFIG_GENERIC_IRQ_DEBUGFS and we are root. */
async function readManaged(
  reader: FactReader,
  irq: number,
  hasDebug: boolean,
  byDriver: boolean | null,
): Promise<boolean | null> {
  const text = hasDebug ? await reader.text(`${DEBUG_DIRECTORY}/${irq}`) : undefined;
  return text === undefined ? byDriver : text.includes("IRQD_AFFINITY_MANAGED");
}

async function readAffinity(reader: FactReader, path: string): Promise<string | null> {
  const cpus = await reader.kernelList(path);
  return cpus === undefined || cpus.length === 0 ? null : formatKernelList(cpus);
}

/**
 * Reads the interrupts that a device uses, with where they may go and where they do go.
 *
 * @see https://docs.kernel.org/core-api/irq/irq-affinity.html
 * @see https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-kernel-irq
 */
export async function readIrqs(
  reader: FactReader,
  pciDevices: ReadonlyMap<string, PciDevice>,
): Promise<IrqFacts[]> {
  const byIrq = new Map(
    [...pciDevices.values()].flatMap((device) => device.irqs.map((irq) => [irq, device] as const)),
  );
  const [actions, debugEntries] = await Promise.all([readActions(reader), reader.entries(DEBUG_DIRECTORY)]);
  const withDebug = new Set(debugEntries);
  const irqs = await Promise.all(
    [...actions].map(async ([irq, action]): Promise<IrqFacts> => {
      const directory = `/proc/irq/${irq}`;
      const device = byIrq.get(irq);
      const byDriver = isManagedByDriver(action, device?.pciClass);
      const [node, isManaged, affinity, effectiveAffinity] = await Promise.all([
        reader.integer(`${directory}/node`),
        readManaged(reader, irq, withDebug.has(String(irq)), byDriver),
        readAffinity(reader, `${directory}/smp_affinity_list`),
        readAffinity(reader, `${directory}/effective_affinity_list`),
      ]);
      return {
        irq,
        action,
        pciAddress: device?.address ?? null,
        node: node !== undefined && node >= 0 ? node : (device?.node ?? null),
        isManaged,
        affinity,
        effectiveAffinity,
      };
    }),
  );
  return irqs.toSorted((a, b) => a.irq - b.irq);
}
