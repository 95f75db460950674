import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { TRINO_FOLDER } from "./get-server.ts";

/** One node, one heap that leaves a small machine room. */
const HEAP = "-Xmx2G";

/** A machine that emulates its processor takes a minute; longer means that it will not come. */
const START_LIMIT_MILLIS = 300_000;
const STOP_LIMIT_MILLIS = 20_000;
const LOOK_AGAIN_MILLIS = 500;

export interface TrinoServer {
  /** `host:port` of its client protocol. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

async function freePort(): Promise<number> {
  return await new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address === null || typeof address === "string") reject(new Error("no port"));
        else resolve(address.port);
      });
    });
  });
}

function properties(entries: Readonly<Record<string, string | number>>): string {
  return Object.entries(entries)
    .map(([key, value]) => `${key}=${value}\n`)
    .join("");
}

/** Whether it says that it has started; a server that is not there yet does not say anything. */
async function hasStarted(host: string): Promise<boolean> {
  try {
    const response = await fetch(`http://${host}/v1/info`, { signal: AbortSignal.timeout(5000) });
    const info: unknown = await response.json();
    return typeof info === "object" && info !== null && "starting" in info && info.starting === false;
  } catch {
    return false;
  }
}

/**
 * Starts Trino on one node, with a Hive catalog `hive` whose metastore is files in an S3 bucket.
 *
 * @throws when it has not started in time, with the end of its log
 */
export async function startTrino(s3: {
  readonly endpoint: string;
  readonly bucket: string;
}): Promise<TrinoServer> {
  const folder = await mkdtemp(path.join(tmpdir(), "bedplate-trino-"));
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  await mkdir(path.join(folder, "catalog"));
  await writeFile(
    path.join(folder, "config.properties"),
    properties({
      coordinator: "true",
      "node-scheduler.include-coordinator": "true",
      "http-server.http.port": port,
      "discovery.uri": `http://${host}`,
      "plugin.dir": path.join(TRINO_FOLDER, "plugin"),
      "catalog.config-dir": path.join(folder, "catalog"),
      "node.environment": "bedplate",
      "node.id": "one",
      "node.internal-address": "127.0.0.1",
      "query.max-memory": "1GB",
      "query.max-memory-per-node": "1GB",
    }),
  );
  await writeFile(
    path.join(folder, "catalog/hive.properties"),
    properties({
      "connector.name": "hive",
      "hive.metastore": "file",
      "hive.metastore.catalog.dir": `s3://${s3.bucket}/metastore`,
      "hive.security": "allow-all",
      "fs.hadoop.enabled": "false",
      "fs.native-s3.enabled": "true",
      "s3.endpoint": s3.endpoint,
      "s3.region": "us-east-1",
      "s3.path-style-access": "true",
      "s3.aws-access-key": "testing",
      "s3.aws-secret-key": "testing",
    }),
  );
  const java = execa(
    "java",
    [
      HEAP,
      "-XX:+UseSerialGC",
      "-Djdk.attach.allowAttachSelf=true",
      `-Dconfig=${path.join(folder, "config.properties")}`,
      `-Dnode.data-dir=${folder}`,
      "-cp",
      `${path.join(TRINO_FOLDER, "classes")}:${path.join(TRINO_FOLDER, "lib", "*")}`,
      "StartTrino",
    ],
    // It writes a log of its requests into the folder that it runs in.
    { all: true, buffer: false, cwd: folder, reject: false, forceKillAfterDelay: STOP_LIMIT_MILLIS },
  );
  let log = "";
  java.all.on("data", (chunk: Buffer) => {
    log = `${log}${chunk.toString()}`.slice(-4000);
  });
  const stop = async (): Promise<void> => {
    java.kill();
    await java;
    await rm(folder, { recursive: true, force: true });
  };
  let hasEnded = false;
  void java.finally(() => {
    hasEnded = true;
  });
  const deadline = Date.now() + START_LIMIT_MILLIS;
  while (!(await hasStarted(host))) {
    if (Date.now() > deadline || hasEnded) {
      await stop();
      throw new Error(`Trino did not start:\n${log}`);
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_AGAIN_MILLIS);
    });
  }
  return { host, stop };
}
