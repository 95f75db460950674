import { createHash } from "node:crypto";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { gzipSync } from "node:zlib";
import { CreateBucketCommand, DeleteObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { execa } from "execa";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from "vitest";
import { buildCostReport } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { AwsApi, MOTO } from "../../helpers/aws-api.ts";
import { describeWith } from "../../helpers/needs.ts";
import { costCommand } from "../cost-command.ts";
import { focusCsv, generateMonth } from "./focus-month.ts";

const BEDPLATE = path.resolve(import.meta.dirname, "../../../cli/bedplate.ts");

/** What the wire does to one request, in place of passing it on; false passes it on. */
type Fault = (request: IncomingMessage, response: ServerResponse) => boolean | Promise<boolean>;

/** The wire between the client and the API: it counts requests, and breaks those that a test wants broken. */
class Wire {
  requests: string[] = [];
  fault: Fault = () => false;
  readonly #server: Server;

  private constructor(api: string) {
    this.#server = createServer((incoming, outgoing) => {
      this.requests.push(`${incoming.method} ${incoming.url}`);
      void (async () => {
        if (await this.fault(incoming, outgoing)) return;
        const target = new URL(api);
        const passed = request(
          {
            host: target.hostname,
            port: target.port,
            method: incoming.method,
            path: incoming.url,
            headers: incoming.headers,
          },
          (answer) => {
            outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
            answer.pipe(outgoing);
          },
        );
        passed.on("error", () => outgoing.destroy());
        incoming.pipe(passed);
      })();
    });
  }

  static async to(api: string): Promise<Wire> {
    const wire = new Wire(api);
    await new Promise<void>((resolve) => {
      wire.#server.listen(0, "127.0.0.1", resolve);
    });
    return wire;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Keys that were asked for, in order. */
  downloads(): string[] {
    return this.requests
      .filter((line) => line.startsWith("GET ") && line.includes("x-id=GetObject"))
      .map((line) => decodeURIComponent(/^GET \/[^/]+\/(.*)\?/.exec(line)?.[1] ?? ""))
      .toSorted();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => {
      this.#server.close(resolve);
    });
  }
}

function refusal(status: number, code: string): Fault {
  return (_, response) => {
    response.writeHead(status, { "content-type": "application/xml" });
    response.end(`<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code}</Message></Error>`);
    return true;
  };
}

function isDownload(incoming: IncomingMessage, name = ""): boolean {
  return (incoming.url ?? "").includes("x-id=GetObject") && (incoming.url ?? "").includes(name);
}

const rows = generateMonth(5, 90).rows;
const third = (part: number) => focusCsv(rows.filter((_, index) => index % 3 === part));

describeWith([MOTO], "a bill at s3://", () => {
  let api: AwsApi;
  let wire: Wire;
  let client: S3Client;
  let bucket: string;
  let folder: string;
  let buckets = 0;

  beforeAll(async () => {
    api = await AwsApi.start();
    wire = await Wire.to(api.env["AWS_ENDPOINT_URL"] ?? "");
    client = new S3Client({
      endpoint: api.env["AWS_ENDPOINT_URL"] ?? "",
      region: "us-east-1",
      forcePathStyle: true,
      credentials: { accessKeyId: "test", secretAccessKey: "test" },
    });
  }, 90_000);
  afterAll(async () => {
    client.destroy();
    await wire.stop();
    await api.stop();
  });
  beforeEach(async () => {
    buckets += 1;
    bucket = `bills-${buckets}`;
    await client.send(new CreateBucketCommand({ Bucket: bucket }));
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-s3-"));
    wire.requests = [];
    wire.fault = () => false;
    const env = { ...api.env, AWS_ENDPOINT_URL: wire.url, BEDPLATE_CACHE_DIR: path.join(folder, "cache") };
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
    rmSync(folder, { recursive: true });
  });

  async function put(key: string, content: string | Buffer, more: object = {}): Promise<void> {
    await client.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: content, ...more }));
  }

  async function report(prefix: string): Promise<CostReport> {
    return await buildCostReport({ input: `s3://${bucket}/${prefix}`, key: reportKey("team", undefined) });
  }

  async function faultsOf(prefix: string): Promise<string[]> {
    const error: unknown = await report(prefix).catch((cause: unknown) => cause);
    if (!(error instanceof InputError)) throw new TypeError("was not refused", { cause: error });
    return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
  }

  function cached(): string[] {
    const names = readdirSync(path.join(folder, "cache"), { recursive: true, withFileTypes: true });
    return names.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
  }

  it("gives the report of the same files in a folder, whatever their keys are", async () => {
    const parts: Record<string, string | Buffer> = {
      "größe/日本 1+1=2 %41.csv": third(0),
      "../../../escape.csv": third(1),
      "z/deep/b.csv.gz": gzipSync(third(2)),
    };
    for (const [key, content] of Object.entries(parts)) await put(`cur/${key}`, content);
    await put("cur/Manifest.json", "{}");
    await put("cur-old/a.csv", third(0));
    mkdirSync(path.join(folder, "cur"));
    for (const [index, key] of Object.keys(parts).toSorted().entries())
      writeFileSync(path.join(folder, "cur", `${index}.csv`), parts[key] ?? "");

    const local = await buildCostReport({
      input: path.join(folder, "cur"),
      key: reportKey("team", undefined),
    });
    const remote = await report("cur");
    expect(remote.currencies).toEqual(local.currencies);
    expect(remote.source).toMatchObject({ name: "cur", sha256: local.source.sha256, lines: rows.length });
    expect(wire.downloads()).toEqual(
      Object.keys(parts)
        .map((key) => `cur/${key}`)
        .toSorted(),
    );
    expect(cached()).toHaveLength(3);
    for (const file of cached())
      expect(path.relative(path.join(folder, "cache"), file)).toMatch(/^s3\/[0-9a-f]{64}\/[0-9a-f]{64}$/);
    expect(readdirSync(folder).toSorted()).toEqual(["cache", "cur"]);
  });

  it("reads every page of a list", async () => {
    const keys = Array.from({ length: 1050 }, (_, index) => `cur/a/${index}.json`);
    const queue = keys.values();
    await Promise.all(
      Array.from({ length: 8 }, async () => {
        for (const key of queue) await put(key, "{}");
      }),
    );
    await put("cur/z.csv", third(0));
    expect((await report("cur/")).source.files.map(({ name }) => name)).toEqual(["z.csv"]);
    expect(wire.requests.filter((line) => line.includes("list-type=2"))).toHaveLength(2);
  }, 60_000);

  it("takes an object by its own key, whatever it is called", async () => {
    await put("bill", third(0));
    await put("bill.csv", third(1));
    await report("bill");
    expect(wire.downloads()).toEqual(["bill"]);
  });

  it("downloads again what has changed and nothing else", async () => {
    await put("cur/a.csv", third(0));
    await put("cur/b.csv", third(1));
    const first = await report("cur/");
    wire.requests = [];
    expect(await report("cur/")).toEqual(first);
    expect(wire.downloads()).toEqual([]);

    // As many bytes as before.
    const [header = "", ...lines] = third(1).trimEnd().split("\n");
    const turned = `${[header, ...lines.toReversed()].join("\n")}\n`;
    await put("cur/b.csv", turned);
    const changed = await report("cur/");
    expect(wire.downloads()).toEqual(["cur/b.csv"]);
    expect(changed.source.files.map(({ sha256 }) => sha256)).toEqual(
      [third(0), turned].map((text) => createHash("sha256").update(text).digest("hex")),
    );

    for (const file of cached()) truncateSync(file, 100);
    expect(await report("cur/")).toEqual(changed);
  });

  it("leaves deliveries where they are that a later one replaces", async () => {
    await put("cur/BILLING_PERIOD=2026-07/2026-08-01T00:00:00Z-a/a.csv", third(0));
    await put("cur/BILLING_PERIOD=2026-07/2026-08-03T00:00:00Z-b/a.csv", third(1));
    expect((await report("cur/")).source.files.map(({ name }) => name)).toEqual([
      "BILLING_PERIOD=2026-07/2026-08-03T00:00:00Z-b/a.csv",
    ]);
    expect(wire.downloads()).toEqual(["cur/BILLING_PERIOD=2026-07/2026-08-03T00:00:00Z-b/a.csv"]);
  });

  it("never reads what a killed run left", async () => {
    const content = third(0);
    await put("cur/a.csv", content);
    const half = new Promise<void>((resolve) => {
      wire.fault = (incoming, response) => {
        if (!isDownload(incoming)) return false;
        response.writeHead(200, { "content-length": Buffer.byteLength(content) });
        response.write(Buffer.from(content).subarray(0, 2000), () => resolve());
        return true;
      };
    });
    const killed = execa(process.execPath, [BEDPLATE, "cost", "report", "--input", `s3://${bucket}/cur/`], {
      reject: false,
      timeout: 60_000,
    });
    await half;
    await expect
      .poll(() => existsSync(path.join(folder, "cache")) && cached(), { timeout: 30_000 })
      .toHaveLength(1);
    killed.kill("SIGKILL");
    await killed;
    expect(cached()).toEqual([expect.stringMatching(/\.part$/)]);

    wire.fault = () => false;
    expect((await report("cur/")).source.files[0]?.bytes).toBe(Buffer.byteLength(content));
  }, 90_000);

  it("goes on after a connection that broke, and refuses what never comes whole", async () => {
    const content = third(0);
    await put("cur/a.csv", content);
    let breaks = 1;
    wire.fault = (incoming, response) => {
      if (!isDownload(incoming) || breaks === 0) return false;
      breaks -= 1;
      response.writeHead(200, { "content-length": Buffer.byteLength(content) });
      response.write(content.slice(0, 500), () => response.destroy());
      return true;
    };
    await report("cur/");
    expect(wire.downloads()).toHaveLength(2);

    rmSync(path.join(folder, "cache"), { recursive: true });
    breaks = Infinity;
    expect(await faultsOf("cur/")).toEqual([
      expect.stringMatching(/^s3:\/\/bills-\d+\/cur\/a\.csv: Cannot read: /),
    ]);
    expect(cached()).toEqual([]);
  });

  it("refuses a body that ends early and says nothing of its length", async () => {
    const content = third(0);
    await put("cur/a.csv", content);
    wire.fault = (incoming, response) => {
      if (!isDownload(incoming)) return false;
      response.end(content.slice(0, content.lastIndexOf("\n", content.length - 2) + 1));
      return true;
    };
    expect((await faultsOf("cur/")).join()).toMatch(/\d+ bytes came of the \d+ that were listed$/);
    expect(cached()).toEqual([]);
  });

  it("refuses a body that is not what S3 has the checksum of", async () => {
    const content = third(0);
    await put("cur/a.csv", content, { ChecksumAlgorithm: "SHA256" });
    wire.fault = (incoming, response) => {
      if (!isDownload(incoming)) return false;
      response.writeHead(200, {
        "content-length": Buffer.byteLength(content),
        "x-amz-checksum-sha256": createHash("sha256").update(content).digest("base64"),
      });
      response.end(content.replace("1", "2"));
      return true;
    };
    expect((await faultsOf("cur/")).join()).toMatch(/[Cc]hecksum mismatch/);
    expect(cached()).toEqual([]);
  });

  it("lists every object that cannot be had, and why", async () => {
    for (const name of ["changed", "denied", "gone", "whole"]) await put(`cur/${name}.csv`, third(0));
    await put("cur/archived.csv", third(1), { StorageClass: "GLACIER" });
    wire.fault = async (incoming, response) => {
      if (isDownload(incoming, "denied")) return refusal(403, "AccessDenied")(incoming, response);
      if (isDownload(incoming, "changed")) await put("cur/changed.csv", third(2));
      if (isDownload(incoming, "gone"))
        await client.send(new DeleteObjectCommand({ Bucket: bucket, Key: "cur/gone.csv" }));
      return false;
    };
    const at = `s3://${bucket}/cur`;
    expect(await faultsOf("cur/")).toEqual([
      `${at}/archived.csv: is archived: restore it first`,
      `${at}/changed.csv: has changed since the bucket was listed: run it again`,
      `${at}/denied.csv: access is denied: it takes s3:GetObject, and kms:Decrypt where it is encrypted with a key`,
      `${at}/gone.csv: was there when the bucket was listed and is gone now: run it again`,
    ]);
  });

  it("says what is wrong with the address, the bucket or the credentials, with exit code 2", async () => {
    const cases: [string, string][] = [
      [`s3://${bucket}/none/`, "no object lies there: check the prefix"],
      ["s3://no-such-bucket-1/cur/", "there is no such bucket"],
      ["s3:///cur/", "is no address as in s3://bucket/prefix/"],
    ];
    await put("docs/readme.txt", "no bill");
    cases.push([`s3://${bucket}/docs/`, "has no file that ends in .csv"]);
    for (const [input, message] of cases) {
      const outcome = await costCommand("stacks", "report", "--input", input);
      expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
      expect(outcome.stderr).toContain(message);
      expect(outcome.stderr).toContain(`${input}: 1 fault`);
    }
    wire.fault = refusal(403, "AccessDenied");
    expect(await faultsOf("cur/")).toEqual([`: access is denied: it takes s3:ListBucket on ${bucket}`]);
    wire.fault = () => false;
    vi.stubEnv("AWS_REGION", undefined);
    expect(await faultsOf("cur/")).toEqual([": no AWS region is set: set AWS_REGION"]);
  });
});
