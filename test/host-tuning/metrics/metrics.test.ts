import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { DRIFT_STATE_PATH } from "../../../host-tuning/engine/drift-state.ts";
import { JOURNAL_PATH } from "../../../host-tuning/engine/journal.ts";
import { readAgentMetrics } from "../../../host-tuning/metrics/agent-metrics.ts";
import { readEnaAllowances } from "../../../host-tuning/metrics/ena-allowances.ts";
import { readHostCounters } from "../../../host-tuning/metrics/host-counters.ts";
import { readHostInfo } from "../../../host-tuning/metrics/host-info.ts";
import { type MetricFamily, renderMetrics } from "../../../host-tuning/metrics/metric-family.ts";
import { readMetrics } from "../../../host-tuning/metrics/textfile.ts";
import type { DriftReport } from "../../../host-tuning/report/drift-report.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { stockHost } from "../../helpers/stock-host.ts";
import { agent } from "../verbs/agent-process.ts";

const PROMTOOL = program("promtool", "apt-get install prometheus");

/** What Prometheus' own tool says about metrics; "" when they are right in form and in name. */
function promtoolSays(text: string): string {
  const result = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
    timeout: 60_000,
  });
  return result.stdout + result.stderr;
}

const COUNTERS: HostTree = {
  "/proc/net/netstat":
    "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 1 22 23\nIpExt: InNoRoutes ListenDrops\nIpExt: 0 99\n",
  "/proc/net/snmp": "Tcp: RtoAlgorithm OutSegs RetransSegs\nTcp: 1 5000 12\n",
  "/proc/sys/net/netfilter/nf_conntrack_count": "512\n",
  "/proc/sys/net/netfilter/nf_conntrack_max": "2048\n",
  "/proc/sys/fs/file-nr": "1000\t0\t4000\n",
  "/proc/pressure/cpu":
    "some avg10=0.00 avg60=0.00 avg300=0.00 total=2500000\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n",
  "/proc/pressure/io": "some avg10=1.00 avg60=0.00 avg300=0.00 total=1000\n",
  "/proc/stat": "cpu  1 2 3 4 5 6 7 250 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\n",
  "/proc/net/softnet_stat": "000000ff 00000001 0000000a 0\n00000010 00000002 00000001 0\n",
  "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages": "3\n",
  "/sys/devices/system/node/node0/hugepages/hugepages-2048kB/nr_hugepages": "8\n",
  "/sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages": "0\n",
};

async function countersOf(tree: HostTree): Promise<string[]> {
  await using host = await createHostRoot({ "/keep": "", ...tree });
  const text = renderMetrics(await readHostCounters(openHost(host.root)));
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("readHostCounters()", () => {
  it("reads what the kernel counts, in seconds, ratios and totals", async () => {
    expect(await countersOf(COUNTERS)).toEqual([
      "bedplate_tcp_listen_overflows_total 22",
      "bedplate_tcp_listen_drops_total 23",
      "bedplate_tcp_sent_segments_total 5000",
      "bedplate_tcp_retransmitted_segments_total 12",
      "bedplate_conntrack_entries 512",
      "bedplate_conntrack_entries_limit 2048",
      "bedplate_conntrack_usage_ratio 0.25",
      "bedplate_file_handles_allocated 1000",
      "bedplate_file_handles_usage_ratio 0.25",
      'bedplate_pressure_stalled_seconds_total{resource="cpu",share="some"} 2.5',
      'bedplate_pressure_stalled_seconds_total{resource="cpu",share="full"} 0',
      'bedplate_pressure_stalled_seconds_total{resource="io",share="some"} 0.001',
      "bedplate_cpu_steal_seconds_total 2.5",
      "bedplate_softnet_dropped_packets_total 3",
      "bedplate_softnet_time_squeezes_total 11",
      'bedplate_hugepages_free{node="0",page_size="2048KiB"} 3',
      'bedplate_hugepages_free{node="1",page_size="2048KiB"} 0',
      'bedplate_hugepages_pool{node="0",page_size="2048KiB"} 8',
    ]);
  });

  it("never makes a 0 of what the host does not have", async () => {
    expect(await countersOf({})).toEqual([]);
    expect(await countersOf({ "/proc/sys/net/netfilter/nf_conntrack_count": "0\n" })).toEqual([
      "bedplate_conntrack_entries 0",
    ]);
  });

  it("never makes a number of text that is none", async () => {
    expect(
      await countersOf({
        "/proc/net/netstat": "TcpExt: ListenOverflows\nTcpExt: many\n",
        "/proc/stat": "cpu  x\n",
        "/proc/sys/fs/file-nr": "a b c\n",
        "/proc/net/softnet_stat": "zz zz\n",
      }),
    ).toEqual([]);
  });
});

describe("readHostInfo()", () => {
  async function infoOf(tree: HostTree): Promise<string> {
    await using host = await createHostRoot({ "/keep": "", ...tree });
    return renderMetrics(await readHostInfo(openHost(host.root)));
  }
  const nitro = {
    "/sys/class/dmi/id/sys_vendor": "Amazon EC2\n",
    "/sys/class/dmi/id/product_name": "m7i.large\n",
  };

  it("names the host as its bill does", async () => {
    const tree = { ...nitro, "/sys/class/dmi/id/board_asset_tag": "i-0af01c0123456789a\n" };
    expect(await infoOf(tree)).toContain(
      'bedplate_host_info{provider="aws",instance_id="i-0af01c0123456789a",instance_type="m7i.large"} 1\n',
    );
  });

  it("says nothing where the firmware does not say it", async () => {
    expect(await infoOf(nitro)).not.toContain("bedplate_host_info{");
    expect(await infoOf({})).not.toContain("bedplate_host_info{");
  });
});

describe("readEnaAllowances()", () => {
  it("reads the counters of ENA interfaces alone", async () => {
    await using root = await createHostRoot({
      "/sys/bus/pci/drivers/ena/x": "",
      "/sys/bus/pci/drivers/ice/x": "",
      "/sys/class/net/eth0/device/driver": { link: "/sys/bus/pci/drivers/ena" },
      "/sys/class/net/eth1/device/driver": { link: "/sys/bus/pci/drivers/ice" },
      "/sys/class/net/lo/mtu": "65536\n",
    });
    const host = openHost(root.root);
    const asked: string[] = [];
    // A double: no machine here has an Elastic Network Adapter. The output is the driver's own.
    const double = new Proxy(host, {
      get(target, name) {
        if (name === "runTool") {
          return (tool: string, args: readonly string[]) => {
            asked.push([tool, ...args].join(" "));
            const stdout =
              "NIC statistics:\n     tx_timeout: 0\n     bw_in_allowance_exceeded: 7\n     conntrack_allowance_exceeded: 0\n     conntrack_allowance_available: 136812\n     queue_0_tx_cnt: 4\n";
            return Promise.resolve({ exitCode: 0, stdout, stderr: "" });
          };
        }
        const value: unknown = Reflect.get(target, name);
        return typeof value === "function" ? (value.bind(target) as unknown) : value;
      },
    });
    expect(
      renderMetrics(await readEnaAllowances(double))
        .split("\n")
        .filter((line) => !line.startsWith("#")),
    ).toEqual([
      'bedplate_ena_allowance_exceeded_packets_total{device="eth0",allowance="bw_in"} 7',
      'bedplate_ena_allowance_exceeded_packets_total{device="eth0",allowance="conntrack"} 0',
      'bedplate_ena_conntrack_allowance_available{device="eth0"} 136812',
      "",
    ]);
    expect(asked).toEqual(["ethtool -S eth0"]);
  });
});

const DRIFT: DriftReport = {
  apiVersion: "bedplate/v1",
  kind: "DriftReport",
  agentVersion: "0.1.0",
  hostname: "demo",
  bootId: null,
  startedAt: "2026-01-01T00:15:00.000Z",
  durationMillis: 250,
  policy: "report",
  checked: 9,
  drifted: 3,
  standing: 2,
  entries: [
    ["queue/scheduler[sda]", "2026-01-01T00:10:00.000Z", "reported"],
    ["queue/scheduler[sdb]", "2026-01-01T00:05:00.000Z", "not-healed"],
    ["vm.swappiness", "2026-01-01T00:00:00.000Z", "healed"],
  ].map(([key = "", firstSeenAt = "", action]) => ({
    key,
    knob: key.split("[")[0] ?? "",
    target: "",
    unit: "enum",
    set: "none",
    found: "bfq",
    lastGoodAt: "2026-01-01T00:00:00.000Z",
    firstSeenAt,
    suspects: [],
    action: action as DriftReport["entries"][number]["action"],
    because: "",
  })),
};

describe("readAgentMetrics()", () => {
  async function samplesOf(tree: HostTree): Promise<string[]> {
    await using host = await createHostRoot({ "/keep": "", ...tree });
    const text = renderMetrics(await readAgentMetrics(openHost(host.root)));
    return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  }

  it("says of a host where the agent never ran only that", async () => {
    expect(await samplesOf({})).toEqual([
      'bedplate_agent_info{version="0.1.0"} 1',
      "bedplate_journal_readable 1",
      "bedplate_confirmation_pending 0",
    ]);
  });

  it("tells of drift by knob, since when, and leaves out what is healed", async () => {
    const yielded = { "queue/scheduler[sdb]": { at: "2026-01-01T00:05:00.000Z", to: "somebody" } };
    const state = { version: 1, heals: {}, yielded, last: DRIFT };
    const samples = await samplesOf({ [DRIFT_STATE_PATH]: JSON.stringify(state) });
    expect(samples.slice(3)).toEqual([
      'bedplate_knob_drifted{knob="queue/scheduler"} 2',
      `bedplate_knob_drift_first_seen_timestamp_seconds{knob="queue/scheduler"} ${Date.UTC(2026, 0, 1, 0, 5) / 1000}`,
      "bedplate_drifted_settings 2",
      "bedplate_yielded_settings 1",
      `bedplate_last_check_timestamp_seconds ${Date.UTC(2026, 0, 1, 0, 15) / 1000}`,
      "bedplate_last_check_duration_seconds 0.25",
    ]);
  });

  it("says when the journal is broken", async () => {
    expect(await samplesOf({ [JOURNAL_PATH]: "garbage\n" })).toContain("bedplate_journal_readable 0");
  });
});

let root: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "bedplate-metrics-"));
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

describeWith([PROMTOOL], "promtool check metrics", () => {
  it("finds nothing wrong with the form and the names of every metric there is", async () => {
    await using host = await createHostRoot({
      ...stockHost(),
      ...COUNTERS,
      "/var/lib/keep": "",
      "/run/keep": "",
    });
    expect((await agent(["apply", "--root", host.root])).exitCode).toBe(0);
    await host.write("/proc/sys/net/core/rmem_max", "212992\n");
    expect((await agent(["drift", "--root", host.root, "--textfile"])).exitCode).toBe(3);
    const text = await host.read("/var/lib/bedplate/textfile/bedplate.prom");
    expect(promtoolSays(text)).toBe("");
    expect(text).toMatch(/^bedplate_knob_outcome\{knob="net\.core\.rmem_max",outcome="changed"\} 1$/m);
    expect(text).toMatch(/^bedplate_knob_drifted\{knob="net\.core\.rmem_max"\} 1$/m);
    expect(text).toMatch(/^bedplate_last_apply_duration_seconds \d+(\.\d+)?$/m);
    expect(text).toMatch(/^bedplate_reboot_needed [01]$/m);
    const ours = [...text.matchAll(/^# TYPE (\S+) (\w+)$/gm)];
    expect(ours.length).toBeGreaterThan(20);
    for (const [, name, type] of ours) expect(name?.endsWith("_total")).toBe(type === "counter");
  }, 60_000);

  it("finds nothing wrong with this machine's", async () => {
    expect(promtoolSays(await readMetrics(openHost("/")))).toBe("");
  });

  it("would find a counter without _total, a gauge without help, and a label that is not escaped", () => {
    expect(promtoolSays("# HELP a_b x\n# TYPE a_b counter\na_b 1\n")).toContain("_total");
    expect(promtoolSays('a_b{c="d"e"} 1\n')).toContain("parsing");
  });

  it("takes every label value as it is", () => {
    const value = fc.oneof(
      fc.string({ unit: "binary", maxLength: 30 }),
      fc.string({
        unit: fc.constantFrom('"', "\\", "\n", "}", ",", "=", "\r", "\t", "é", "\u2028", "\uD800"),
        maxLength: 12,
      }),
    );
    fc.assert(
      fc.property(fc.array(value, { minLength: 40, maxLength: 80 }), (values) => {
        const samples = values.map((text, index) => ({
          labels: { index: String(index), text },
          value: index,
        }));
        const family: MetricFamily = {
          name: "bedplate_demo",
          type: "gauge",
          help: `Demo ${values[0]}`,
          samples,
        };
        expect(promtoolSays(renderMetrics([family]))).toBe("");
      }),
      { numRuns: 10 },
    );
  }, 60_000);
});

describe("bedplate metrics", () => {
  it("--out replaces the file in one step and leaves nothing beside it", async () => {
    const out = join(root, "bedplate.prom");
    for (let run = 0; run < 2; run++) {
      expect(await agent(["metrics", "--out", out])).toMatchObject({ exitCode: 0, stdout: "", stderr: "" });
    }
    expect(readdirSync(root)).toEqual(["bedplate.prom"]);
    expect(readFileSync(out, "utf8")).toMatch(/^# HELP bedplate_agent_info /);
  });

  it("--textfile goes to the collector's folder where there is one", async () => {
    const host = join(root, "host");
    mkdirSync(join(host, "var/lib/prometheus/node-exporter"), { recursive: true });
    expect((await agent(["metrics", "--textfile", "--root", host])).exitCode).toBe(0);
    expect(readdirSync(join(host, "var/lib/prometheus/node-exporter"))).toEqual(["bedplate.prom"]);
    expect(existsSync(join(host, "var/lib/bedplate"))).toBe(false);
  });

  it("fails for a folder that is not there, exit 2", async () => {
    const result = await agent(["metrics", "--out", join(root, "none/bedplate.prom")]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("Cannot write the metrics: ENOENT");
  });
});
