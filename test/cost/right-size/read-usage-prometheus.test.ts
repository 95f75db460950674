import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { containersOf, type ObservedUsage } from "../../../cost/right-size/container-usage.ts";
import { openPrometheus } from "../../../cost/right-size/prometheus-api.ts";
import { readUsagePrometheus, type UsageQuestion } from "../../../cost/right-size/read-usage-prometheus.ts";
import { recommendRequests } from "../../../cost/right-size/recommend-requests.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith, program } from "../../helpers/needs.ts";
import { MIB, START_SECONDS } from "./usage-fixture.ts";

/** promtool makes a block of every two hours, and takes a quarter of a second for each. */
const DAYS = 2;
const SCRAPE_SECONDS = 150;
const NAMESPACE = "mcp-gateway-prod";
const POD = "mcp-service-6f7d9c-x2x4z";
const WINDOW = {
  firstSeconds: START_SECONDS + 300,
  lastSeconds: START_SECONDS + DAYS * 86_400 - 300,
  stepSeconds: 300,
};

interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly labels: string;
  /** Of the time since the start. */
  readonly value: (seconds: number) => number;
}

const OF_POD = `namespace="${NAMESPACE}",pod="${POD}",container="mcp-service"`;
const OF_GPU = `${OF_POD},UUID="GPU-77",modelName="NVIDIA L4",gpu="0"`;

/** A pod with 1.5 cores and 800 MiB, 3000 MiB at noon of the second day, one kill before it, and a GPU with a quarter of its work. */
const METRICS: readonly Metric[] = [
  {
    name: "container_cpu_usage_seconds_total",
    type: "counter",
    labels: `${OF_POD},cpu="total"`,
    value: (s) => s * 1.5,
  },
  // The pod's own cgroup and its pause container count nothing twice.
  {
    name: "container_cpu_usage_seconds_total",
    type: "counter",
    labels: OF_POD.replace('mcp-service"', '"'),
    value: (s) => s * 9,
  },
  { name: "container_cpu_cfs_periods_total", type: "counter", labels: OF_POD, value: (s) => s * 10 },
  { name: "container_cpu_cfs_throttled_periods_total", type: "counter", labels: OF_POD, value: (s) => s * 2 },
  {
    name: "container_memory_working_set_bytes",
    type: "gauge",
    labels: OF_POD,
    value: (s) => (Math.floor(s / 150) === (1.5 * 86_400) / 150 ? 3000 : 800) * MIB,
  },
  {
    name: "kube_pod_info",
    type: "gauge",
    labels: `${OF_POD.split(",container")[0]},created_by_kind="ReplicaSet",created_by_name="mcp-service-6f7d9c"`,
    value: () => 1,
  },
  {
    name: "kube_pod_container_resource_requests",
    type: "gauge",
    labels: `${OF_POD},resource="cpu",unit="core"`,
    value: () => 4,
  },
  {
    name: "kube_pod_container_resource_requests",
    type: "gauge",
    labels: `${OF_POD},resource="memory",unit="byte"`,
    value: () => 4096 * MIB,
  },
  {
    name: "kube_pod_container_resource_requests",
    type: "gauge",
    labels: `${OF_POD},resource="nvidia_com_gpu",unit="integer"`,
    value: () => 1,
  },
  {
    name: "kube_pod_container_resource_limits",
    type: "gauge",
    labels: `${OF_POD},resource="memory",unit="byte"`,
    value: () => 4096 * MIB,
  },
  {
    name: "kube_pod_container_status_restarts_total",
    type: "counter",
    labels: OF_POD,
    value: (s) => (s < 86_400 ? 0 : 1),
  },
  {
    name: "kube_pod_container_status_last_terminated_reason",
    type: "gauge",
    labels: `${OF_POD},reason="OOMKilled"`,
    value: (s) => (s < 86_400 ? 0 : 1),
  },
  { name: "DCGM_FI_PROF_SM_ACTIVE", type: "gauge", labels: OF_GPU, value: () => 0.25 },
  { name: "DCGM_FI_DEV_FB_USED", type: "gauge", labels: OF_GPU, value: () => 6000 },
  { name: "DCGM_FI_DEV_FB_FREE", type: "gauge", labels: OF_GPU, value: () => 17_000 },
  { name: "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", type: "gauge", labels: OF_GPU, value: () => 1 },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    labels: `job="mcp-gateway",instance="10.0.0.7:8080"`,
    value: (s) => s * 0.5,
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    labels: `job="mcp-gateway",instance="10.0.0.7:8080"`,
    value: () => 256 * MIB,
  },
];

/** OpenMetrics text of one day: families apart, each series in order of time. */
function openMetrics(day: number): string {
  const scrapes = 86_400 / SCRAPE_SECONDS;
  const times = Array.from({ length: scrapes }, (_, index) => (day * scrapes + index) * SCRAPE_SECONDS);
  const families = Map.groupBy(METRICS, ({ name }) => name);
  const lines = [...families].flatMap(([name, members]) => {
    const type = members[0]?.type ?? "gauge";
    const family = type === "counter" ? name.replace(/_total$/, "") : name;
    return [
      `# TYPE ${family} ${type}`,
      ...members.flatMap(({ labels, value }) =>
        times.map((seconds) => `${name}{${labels}} ${value(seconds)} ${START_SECONDS + seconds}`),
      ),
    ];
  });
  return `${lines.join("\n")}\n# EOF\n`;
}

async function listening(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

const PARTS = [
  program("prometheus", "apt-get install prometheus"),
  program("promtool", "apt-get install prometheus"),
];

describeWith(PARTS, "readUsagePrometheus() of a real Prometheus", () => {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-prometheus-"));
  let server: ChildProcess | undefined;
  let address = "";

  beforeAll(async () => {
    const data = path.join(folder, "data");
    writeFileSync(path.join(folder, "prometheus.yml"), "scrape_configs: []\n");
    // promtool reads its whole input once for every block of two hours, so each day is an input of its own.
    for (let day = 0; day < DAYS; day += 1) {
      const history = path.join(folder, `day-${day}.txt`);
      writeFileSync(history, openMetrics(day));
      execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", history, data], {
        stdio: "ignore",
        timeout: 60_000,
      });
    }
    const port = await freePort();
    address = `http://127.0.0.1:${port}`;
    server = spawn(
      "prometheus",
      [
        `--config.file=${path.join(folder, "prometheus.yml")}`,
        `--storage.tsdb.path=${data}`,
        "--storage.tsdb.retention.time=100y",
        `--web.listen-address=127.0.0.1:${port}`,
      ],
      { stdio: "ignore" },
    );
    const until = Date.now() + 60_000;
    while (Date.now() < until) {
      const ready = await fetch(`${address}/-/ready`).then(
        ({ ok }) => ok,
        () => false,
      );
      if (ready) return;
      await sleep(100);
    }
    throw new Error("Prometheus is not ready after 60 s");
  });

  afterAll(async () => {
    if (server !== undefined && server.exitCode === null) {
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      await Promise.race([ended, sleep(20_000).then(() => server?.kill("SIGKILL"))]);
    }
    rmSync(folder, { recursive: true, force: true });
  });

  async function read(question: Partial<UsageQuestion> = {}): Promise<ObservedUsage> {
    const api = await openPrometheus(address, undefined);
    return await readUsagePrometheus(api, { namespaces: [NAMESPACE], window: WINDOW, ...question });
  }

  it("finds what a pod used, asked for and was killed for", async () => {
    const usage = await read();
    const [container, ...others] = containersOf(usage);
    if (container === undefined) throw new Error("no container");
    expect(others).toEqual([]);
    expect(container).toMatchObject({
      ownerKind: "Deployment",
      owner: "mcp-service",
      container: "mcp-service",
      pods: 1,
    });
    const { cpuCores, memoryBytes, oomKills } = recommendRequests(container, usage.window);
    expect(cpuCores.requested).toBe(4);
    expect(cpuCores.peak).toBeCloseTo(1.5, 6);
    expect(cpuCores.confidence.level).toBe("low");
    expect(cpuCores.because.join()).toContain("20 % of periods");
    // A peak of one scrape, between two points of the query.
    expect(memoryBytes.peak).toBe(3000 * MIB);
    expect(oomKills).toBeGreaterThanOrEqual(1);
    expect(memoryBytes.target).toBeCloseTo(4096 * 1.2 * MIB, -3);
    const metrics = [...container.series.keys()];
    expect(metrics).toContain("gpu_throttle_reasons");
    expect(container.series.get("gpu_memory_total_bytes")?.[0]).toMatchObject({
      device: "GPU-77",
      gpuModel: "NVIDIA L4",
      points: expect.arrayContaining([{ atSeconds: WINDOW.firstSeconds, value: 23_000 * MIB }]),
    });
  });

  it("finds a service that runs as a unit of its host, by its own process", async () => {
    const usage = await read({
      process: { job: "mcp-gateway", namespace: NAMESPACE, container: "mcp-service" },
    });
    const [container] = containersOf(usage);
    if (container === undefined) throw new Error("no container");
    const { cpuCores, memoryBytes } = recommendRequests(container, usage.window);
    expect(cpuCores.peak).toBeCloseTo(0.5, 6);
    expect(memoryBytes.peak).toBe(256 * MIB);
  });

  it("fails naming what is not there, and takes namespaces literally", async () => {
    await expect(read({ namespaces: ["nowhere"] })).rejects.toThrow(
      /cpu_cores: no series in namespace nowhere/,
    );
    await expect(read({ namespaces: ["mcp.gateway.prod", 'x"} or vector(1) #'] })).rejects.toThrow(
      InputError,
    );
    await expect(
      read({ process: { job: "other", namespace: NAMESPACE, container: "mcp-service" } }),
    ).rejects.toThrow(/no series of job "other"/);
  });
});

describe("openPrometheus()", () => {
  async function answering(
    status: number,
    body: string,
    headers: Record<string, string> = {},
  ): Promise<string> {
    const server = createServer((_, response) => {
      response.writeHead(status, headers);
      response.end(body);
    });
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${await listening(server)}`;
  }

  async function asked(address: string): Promise<unknown> {
    const api = await openPrometheus(address, undefined);
    return await api.queryRange({ promql: "up", firstSeconds: 0, lastSeconds: 1, stepSeconds: 1 });
  }

  it.each([
    [503, "upstream is down", /answers 503 with no JSON/],
    [
      422,
      '{"status":"error","errorType":"execution","error":"query timed out"}',
      /answers execution: query timed out/,
    ],
    [
      200,
      '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[["x",1]]}]}}',
      /data\.result\[0\]\.values/,
    ],
  ])("fails on an answer of %i with what it says", async (status, body, message) => {
    await expect(asked(await answering(status, body))).rejects.toThrow(message);
  });

  it("fails on a redirect, on nobody there and on what is no address", async () => {
    const elsewhere = await answering(302, "", { location: "http://127.0.0.1:9/" });
    await expect(asked(elsewhere)).rejects.toThrow(/Cannot ask it/);
    await expect(asked(`http://127.0.0.1:${await freePort()}`)).rejects.toThrow(
      /Cannot ask it.*ECONNREFUSED/,
    );
    await expect(openPrometheus("ftp://x", undefined)).rejects.toThrow(InputError);
    await expect(openPrometheus("https://me:secret@x", undefined)).rejects.toThrow(/end up in logs/);
  });

  it("never sends a token in the clear to another machine", async () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-token-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "token");
    writeFileSync(file, "abc\n");
    await expect(openPrometheus("http://prometheus.example.com", file)).rejects.toThrow(/over https alone/);
    const seen: (string | undefined)[] = [];
    const server = createServer((request, response) => {
      seen.push(request.headers.authorization);
      response.end('{"status":"success","data":{"resultType":"matrix","result":[]}}');
    });
    onTestFinished(() => void server.close());
    const api = await openPrometheus(`http://127.0.0.1:${await listening(server)}`, file);
    await api.queryRange({ promql: "up", firstSeconds: 0, lastSeconds: 1, stepSeconds: 1 });
    expect(seen).toEqual(["Bearer abc"]);
  });
});
