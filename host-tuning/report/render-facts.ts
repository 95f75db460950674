import type { HostFacts } from "../facts/host-facts.ts";
import { tint } from "./colour.ts";
import { PAGE_COLUMNS, plural, renderTable, wrap } from "./table.ts";

const LABEL_COLUMNS = 16;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Facts for people; `inventory` is what only people read. */
export function renderFacts(
  facts: HostFacts,
  inventory: readonly (readonly [label: string, text: string])[] = [],
): string {
  const { cpu, memory } = facts;
  const lines = [
    tint("strong", facts.hostname ?? "this host"),
    ...field(
      "system",
      `${facts.distribution?.prettyName ?? "unknown distribution"}, Linux ${facts.kernel.release ?? "unknown"}, ${facts.architecture}`,
    ),
    ...field("virtualization", `${facts.virtualization.kind} (${facts.virtualization.because})`),
    ...field(
      "cloud",
      [facts.cloud.provider, facts.cloud.instanceType, facts.cloud.instanceId, `(${facts.cloud.because})`]
        .filter((part) => part !== null)
        .join(" "),
    ),
    ...field(
      "processor",
      `${cpu.model ?? "unknown model"}: ${plural(cpu.packages, "package")}, ${plural(cpu.cores, "core")}, ${plural(cpu.threadsPerCore, "thread")} a core, CPUs ${cpu.onlineCpus}`,
    ),
    ...(cpu.offlineCpus === "" ? [] : field("offline CPUs", cpu.offlineCpus)),
    ...field("memory", `${bytes(memory.totalBytes)}, swap ${bytes(memory.swapTotalBytes)}`),
    ...inventory.flatMap(([label, text]) => field(label, text)),
    ...sections(facts),
  ];
  return `${lines.join("\n")}\n`;
}

function sections(facts: HostFacts): string[] {
  return [
    ...section(
      "NUMA nodes",
      ["node", "CPUs", "memory", "distances"],
      facts.numa.nodes.map((node) => [
        String(node.id),
        node.cpus,
        bytes(node.memoryBytes),
        node.distances.join(" "),
      ]),
    ),
    ...section(
      "Network interfaces",
      ["name", "driver", "PCI", "node", "Mbit/s", "queues", "functions"],
      facts.nics.map((nic) => [
        nic.name,
        text(nic.driver),
        text(nic.pciAddress),
        text(nic.node),
        text(nic.speedMbitPerSec),
        `${nic.rxQueues} rx ${nic.txQueues} tx`,
        nic.sriov === null ? "-" : `${nic.sriov.virtualFunctions} of ${nic.sriov.totalVirtualFunctions}`,
      ]),
    ),
    ...section(
      "Block devices",
      ["name", "kind", "size", "node", "scheduler", "model"],
      facts.blockDevices.map((disk) => [
        disk.name,
        disk.kind,
        bytes(disk.sizeBytes),
        text(disk.node),
        text(disk.scheduler),
        text(disk.model),
      ]),
    ),
    ...section(
      "GPUs",
      ["PCI", "vendor", "device", "node", "driver", "link"],
      facts.gpus.map((gpu) => [
        gpu.pciAddress,
        gpu.vendor,
        gpu.deviceId,
        text(gpu.node),
        text(gpu.driver),
        `${text(gpu.linkSpeed)} x${text(gpu.linkWidth)}${gpu.isLinkNarrow === true ? ` of x${text(gpu.maxLinkWidth)}` : ""}`,
      ]),
    ),
    ...section(
      "Also tuned by others",
      ["owner", "knob", "value", "where"],
      facts.ownership.map((entry) => [entry.owner, entry.key, text(entry.value), entry.source]),
    ),
    ...section(
      "Could not be read",
      ["path", "why"],
      facts.unreadable.map((entry) => [entry.path, entry.because]),
    ),
  ];
}

function section(title: string, names: readonly string[], rows: readonly (readonly string[])[]): string[] {
  if (rows.length === 0) return [];
  const columns = names.map((name) => ({ title: name, maxColumns: 36 }));
  return [
    "",
    tint("strong", title),
    renderTable(
      columns,
      rows.map((cells) => ({ cells })),
    ),
  ];
}

function field(label: string, value: string): string[] {
  const [first = "", ...rest] = wrap(value, PAGE_COLUMNS - LABEL_COLUMNS);
  return [label.padEnd(LABEL_COLUMNS) + first, ...rest.map((line) => " ".repeat(LABEL_COLUMNS) + line)];
}

function text(value: string | number | null): string {
  return value === null ? "-" : String(value);
}

function bytes(count: number): string {
  return count >= GIB ? `${(count / GIB).toFixed(1)} GiB` : `${(count / MIB).toFixed(1)} MiB`;
}
