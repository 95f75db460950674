import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { program } from "./needs.ts";

export const PROMETHEUS = [
  program("prometheus", "apt-get install prometheus"),
  program("promtool", "apt-get install prometheus"),
];

export interface PrometheusHistory {
  /** As in `http://127.0.0.1:9090`. */
  readonly address: string;
  /** The answer of query_range, as `curl` would save it. */
  queryRange(query: string, start: string, end: string, step: string): Promise<string>;
  stop(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

/**
 * A Prometheus of its own whose past is `openMetrics`, samples with times and "# EOF" at the end; undefined for none.
 *
 * @param scrapeConfigs YAML; what it scrapes from now on
 */
export async function startPrometheus(
  openMetrics: string | undefined,
  scrapeConfigs = "scrape_configs: []\n",
): Promise<PrometheusHistory> {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-prometheus-"));
  const data = path.join(folder, "data");
  const config = path.join(folder, "prometheus.yml");
  writeFileSync(config, scrapeConfigs);
  if (openMetrics !== undefined) {
    const history = path.join(folder, "history.txt");
    writeFileSync(history, openMetrics);
    execFileSync("promtool", ["tsdb", "create-blocks-from", "openmetrics", history, data], {
      stdio: "ignore",
      timeout: 60_000,
    });
  }
  const port = await freePort();
  const server = spawn(
    "prometheus",
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      "--storage.tsdb.retention.time=100y",
      `--web.listen-address=127.0.0.1:${port}`,
    ],
    { stdio: "ignore" },
  );
  const address = `http://127.0.0.1:${port}`;
  const stop = async (): Promise<void> => {
    if (server.exitCode === null) {
      const ended = once(server, "exit");
      server.kill("SIGTERM");
      await Promise.race([ended, sleep(20_000).then(() => server.kill("SIGKILL"))]);
    }
    rmSync(folder, { recursive: true, force: true });
  };
  const until = Date.now() + 60_000;
  while (Date.now() < until) {
    const isReady = await fetch(`${address}/-/ready`).then(
      ({ ok }) => ok,
      () => false,
    );
    if (isReady) {
      return {
        address,
        queryRange: async (query, start, end, step) => {
          const url = `${address}/api/v1/query_range?${new URLSearchParams({ query, start, end, step }).toString()}`;
          return await (await fetch(url)).text();
        },
        stop,
      };
    }
    await sleep(100);
  }
  await stop();
  throw new Error("Prometheus is not ready after 60 s");
}
