import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { type MetricFamily, type Sample, single } from "./metric-family.ts";

/** Ticks of /proc/stat in a second: USER_HZ, which is 100 on every architecture that Linux has today. */
const USER_HZ = 100;

/** Reads a file's text; what is not there gives no metric. */
type Read = (path: string) => Promise<string | undefined>;

/** What the kernel counts that says whether the host's tuning is enough: only what this host has. */
export async function readHostCounters(host: Host): Promise<MetricFamily[]> {
  const read: Read = async (path) => await host.readText(path);
  const parts = await Promise.all([
    readTcp(read),
    readConntrack(read),
    readFileHandles(read),
    readPressure(read),
    readSteal(read),
    readSoftnet(read),
    readHugepages(host),
  ]);
  return parts.flat();
}

/** A table of /proc/net/netstat or /proc/net/snmp: a line of names, then a line of numbers, both begin with its name. */
export function parseNetTable(text: string, table: string): ReadonlyMap<string, number> {
  const [names = [], numbers = []] = text
    .split("\n")
    .filter((line) => line.startsWith(`${table}: `))
    .map((line) => line.slice(table.length + 2).split(" "));
  return new Map(names.map((name, index) => [name, Number(numbers[index])]));
}

async function readTcp(read: Read): Promise<MetricFamily[]> {
  const [netstat, snmp] = await Promise.all([read("/proc/net/netstat"), read("/proc/net/snmp")]);
  const extended = parseNetTable(netstat ?? "", "TcpExt");
  const tcp = parseNetTable(snmp ?? "", "Tcp");
  return [
    single(
      "bedplate_tcp_listen_overflows_total",
      "counter",
      "Connections that found a listener's accept queue full, in the host's network namespace.",
      extended.get("ListenOverflows"),
    ),
    single(
      "bedplate_tcp_listen_drops_total",
      "counter",
      "Connections dropped at a listener for any reason, in the host's network namespace.",
      extended.get("ListenDrops"),
    ),
    single(
      "bedplate_tcp_sent_segments_total",
      "counter",
      "TCP segments sent, retransmitted ones not counted.",
      tcp.get("OutSegs"),
    ),
    single(
      "bedplate_tcp_retransmitted_segments_total",
      "counter",
      "TCP segments sent again.",
      tcp.get("RetransSegs"),
    ),
  ];
}

async function readConntrack(read: Read): Promise<MetricFamily[]> {
  const [count, most] = await Promise.all([
    readNumber(read, "/proc/sys/net/netfilter/nf_conntrack_count"),
    readNumber(read, "/proc/sys/net/netfilter/nf_conntrack_max"),
  ]);
  return [
    single("bedplate_conntrack_entries", "gauge", "Connections that are tracked now.", count),
    single("bedplate_conntrack_entries_limit", "gauge", "Connections that can be tracked.", most),
    single(
      "bedplate_conntrack_usage_ratio",
      "gauge",
      "Share of the connection tracking table in use, 0 to 1.",
      ratio(count, most),
    ),
  ];
}

async function readFileHandles(read: Read): Promise<MetricFamily[]> {
  const [allocated, , most] = (await read("/proc/sys/fs/file-nr"))?.trim().split(/\s+/).map(Number) ?? [];
  return [
    single("bedplate_file_handles_allocated", "gauge", "File handles that are open on the host.", allocated),
    single(
      "bedplate_file_handles_usage_ratio",
      "gauge",
      "Share of fs.file-max in use, 0 to 1.",
      ratio(allocated, most),
    ),
  ];
}

/** Pressure stall information, Linux 4.20 and newer where it is built in. @see https://docs.kernel.org/accounting/psi.html */
async function readPressure(read: Read): Promise<MetricFamily[]> {
  const samples = await Promise.all(
    ["cpu", "memory", "io"].map(async (resource): Promise<Sample[]> => {
      const text = (await readPressureFile(read, resource)) ?? "";
      return [...text.matchAll(/^(some|full) .*\btotal=(\d+)$/gm)].map(([, share = "", micros]) => ({
        labels: { resource, share },
        value: Number(micros) / 1e6,
      }));
    }),
  );
  return [
    {
      name: "bedplate_pressure_stalled_seconds_total",
      type: "counter",
      help: "Time in which some or all tasks waited for a resource (pressure stall information).",
      samples: samples.flat(),
    },
  ];
}

/** A kernel that was started with psi=0 has the files and answers EOPNOTSUPP. */
async function readPressureFile(read: Read, resource: string): Promise<string | undefined> {
  try {
    return await read(`/proc/pressure/${resource}`);
  } catch (error) {
    if (error instanceof TuningError) return undefined;
    throw error;
  }
}

async function readSteal(read: Read): Promise<MetricFamily[]> {
  const fields = /^cpu +(.*)$/m.exec((await read("/proc/stat")) ?? "")?.[1]?.split(" ");
  const ticks = fields?.[7];
  return [
    single(
      "bedplate_cpu_steal_seconds_total",
      "counter",
      "CPU time that the hypervisor gave to others while this host wanted it, over all CPUs.",
      ticks === undefined ? undefined : Number(ticks) / USER_HZ,
    ),
  ];
}

/** Per CPU: packets, dropped, time_squeeze, ... in hexadecimal digits. */
async function readSoftnet(read: Read): Promise<MetricFamily[]> {
  const rows = ((await read("/proc/net/softnet_stat")) ?? "")
    .trim()
    .split("\n")
    .filter((line) => /^[0-9a-f]+(?:\s+[0-9a-f]+)+$/.test(line))
    .map((line) => line.split(/\s+/).map((word) => Number.parseInt(word, 16)));
  const sum = (column: number): number | undefined =>
    rows.length === 0 ? undefined : rows.reduce((total, row) => total + (row[column] ?? 0), 0);
  return [
    single(
      "bedplate_softnet_dropped_packets_total",
      "counter",
      "Packets dropped because a CPU's backlog was full (netdev_max_backlog).",
      sum(1),
    ),
    single(
      "bedplate_softnet_time_squeezes_total",
      "counter",
      "Times that receive processing ran out of its budget with packets left (netdev_budget).",
      sum(2),
    ),
  ];
}

const NODES = "/sys/devices/system/node";

async function readHugepages(host: Host): Promise<MetricFamily[]> {
  const free: Sample[] = [];
  const total: Sample[] = [];
  for (const name of await host.list(NODES)) {
    const node = /^node(\d+)$/.exec(name)?.[1];
    if (node === undefined) continue;
    for (const size of await host.list(`${NODES}/${name}/hugepages`)) {
      const sizeKiB = /^hugepages-(\d+)kB$/.exec(size)?.[1];
      if (sizeKiB === undefined) continue;
      const labels = { node, page_size: `${sizeKiB}KiB` };
      const folder = `${NODES}/${name}/hugepages/${size}`;
      for (const [samples, file] of [
        [free, "free_hugepages"],
        [total, "nr_hugepages"],
      ] as const) {
        const value = await readNumber(async (path) => await host.readText(path), `${folder}/${file}`);
        if (value !== undefined) samples.push({ labels, value });
      }
    }
  }
  return [
    {
      name: "bedplate_hugepages_free",
      type: "gauge",
      help: "Hugepages that nobody has taken.",
      samples: free,
    },
    { name: "bedplate_hugepages_pool", type: "gauge", help: "Hugepages that are set aside.", samples: total },
  ];
}

async function readNumber(read: Read, path: string): Promise<number | undefined> {
  const text = (await read(path))?.trim();
  return text === undefined || !/^\d+$/.test(text) ? undefined : Number(text);
}

function ratio(part: number | undefined, whole: number | undefined): number | undefined {
  return part === undefined || whole === undefined || whole === 0 ? undefined : part / whole;
}
