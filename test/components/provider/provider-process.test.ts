import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import type pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import { expect, test, vi } from "vitest";

vi.setConfig({ testTimeout: 120_000 });

const ROOT = path.resolve(import.meta.dirname, "../../..");
const PROVIDER_FOLDER = path.join(ROOT, "components/provider");
const WRAPPER = path.join(PROVIDER_FOLDER, "plugin/pulumi-resource-bedplate");
const BOUND_MILLIS = 60_000;

/** An "engine" that starts the provider as the real one does, hands on its output, and lives until it is killed. */
function startEngine() {
  return spawn(
    process.execPath,
    [
      "--eval",
      `const child = require("node:child_process").spawn(process.argv[1], ["127.0.0.1:1"], { stdio: ["ignore", "pipe", "pipe"] });
       process.stdout.write(child.pid + "\\n");
       child.stdout.pipe(process.stdout);
       setInterval(() => undefined, 1000);`,
      WRAPPER,
    ],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test("the provider is a plugin by its PulumiPlugin.yaml: the SDK's runner of plugins starts it from its folder", async () => {
  const plugin = spawn(
    process.execPath,
    [path.join(ROOT, "node_modules/@pulumi/pulumi/cmd/run-plugin"), PROVIDER_FOLDER, "127.0.0.1:1"],
    { stdio: ["ignore", "pipe", "ignore"] },
  );
  try {
    const reader = createInterface({ input: plugin.stdout });
    const [port] = (await once(reader, "line", { signal: AbortSignal.timeout(BOUND_MILLIS) })) as [string];
    const client = new providerRpc.ResourceProviderClient(
      `127.0.0.1:${port}`,
      grpc.credentials.createInsecure(),
    );
    const schema = await new Promise<string>((resolve, reject) => {
      client.getSchema(new providerProto.GetSchemaRequest(), (error, answer) =>
        error === null ? resolve(answer.getSchema()) : reject(new Error(error.details)),
      );
    });
    client.close();
    expect(schema).toBe(readFileSync(path.join(PROVIDER_FOLDER, "package-schema.json"), "utf8"));
  } finally {
    plugin.kill("SIGKILL");
  }
});

test("the provider answers on the port that it prints, and never outlives a killed engine", async () => {
  const engine = startEngine();
  const lines: string[] = [];
  const reader = createInterface({ input: engine.stdout });
  reader.on("line", (line) => lines.push(line));
  while (lines.length < 2) await once(reader, "line", { signal: AbortSignal.timeout(BOUND_MILLIS) });
  const [pid, port] = lines.map(Number);
  if (pid === undefined || port === undefined)
    throw new Error(`Expected a pid and a port, got ${lines.join()}`);

  const client = new providerRpc.ResourceProviderClient(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
  );
  const info = await new Promise<InstanceType<typeof pluginProto.PluginInfo>>((resolve, reject) => {
    client.getPluginInfo(new emptyProto.Empty(), (error, answer) =>
      error === null ? resolve(answer) : reject(new Error(error.details)),
    );
  });
  client.close();
  expect(info.getVersion()).toMatch(/^\d+\.\d+\.\d+$/);

  engine.kill("SIGKILL");
  const deadline = performance.now() + BOUND_MILLIS;
  while (isAlive(pid) && performance.now() < deadline) await sleep(100);
  const isLeft = isAlive(pid);
  if (isLeft) process.kill(pid, "SIGKILL");
  expect(isLeft).toBe(false);
});
