import { constants } from "node:fs";
import { mkdtemp, open, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import type { HostReport } from "../../host-tuning/report/host-report.ts";
import { MODERN, connect, modernCall, modernHeaders, samplesOf, send, start } from "./running-service.ts";

const TOOL_NAMES = ["host_report", "host_facts_summary", "effective_limits", "echo"];

const REPORT: HostReport = {
  apiVersion: "bedplate/v1",
  kind: "HostReport",
  verb: "apply",
  agentVersion: "0.1.0",
  hostname: "lab",
  kernelRelease: "6.1.0-13-amd64",
  bootId: null,
  phase: "late",
  startedAt: "2026-11-20T16:00:00.000Z",
  durationMillis: 812,
  phases: [],
  planDigest: null,
  counts: { changed: 1, "already-right": 1, left: 0, unsupported: 0, "needs-reboot": 0, failed: 0 },
  drifted: 0,
  entries: [
    sampleEntry({ key: "net.core.somaxconn", outcome: "changed", before: "4096", found: "16384" }),
    sampleEntry({ key: "vm.swappiness", outcome: "already-right", before: "10", found: "10" }),
  ],
};

function sampleEntry(
  entry: Pick<HostReport["entries"][number], "key" | "outcome" | "before" | "found">,
): HostReport["entries"][number] {
  return {
    ...entry,
    knob: entry.key,
    target: "",
    family: "net",
    unit: "connections",
    wanted: entry.found,
    isVerified: true,
    isDrifted: false,
    because: "the profile's connections",
    takesEffect: "now",
    survivesReboot: false,
    namespace: null,
    alsoSetBy: [],
    durationMillis: 1,
  };
}

describe.each([
  ["a client of revision 2026-07-28", { pin: MODERN }],
  ["a client of the 2025 revisions", "legacy"],
] as const)("%s", (_title, mode) => {
  it("finds the tools and calls them", async () => {
    const { url } = await start();
    const client = await connect(url, mode);
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual(TOOL_NAMES);
    expect(await client.callTool({ name: "echo", arguments: { text: "grüße" } })).toMatchObject({
      structuredContent: { text: "grüße" },
    });
  });

  it("reads the limits that are in force for the service", async () => {
    const { url } = await start();
    const client = await connect(url, mode);
    const { structuredContent } = await client.callTool({ name: "effective_limits", arguments: {} });
    expect(structuredContent).toMatchObject({
      openFilesHard: expect.any(Number),
      cpusAllowedList: expect.stringMatching(/^\d+([-,]\d+)*$/),
      networkNamespace: expect.stringMatching(/^net:\[\d+\]$/),
      listenBacklog: 4096,
      sysctls: { "net.core.somaxconn": expect.stringMatching(/^\d+$/) },
    });
  });

  it("reads the host's facts", async () => {
    const { url } = await start();
    const client = await connect(url, mode);
    const { structuredContent } = await client.callTool({ name: "host_facts_summary", arguments: {} });
    expect(structuredContent).toMatchObject({ kernelRelease: expect.stringMatching(/^\d+\./) });
  });

  it("is told of a wrong argument, and never an internal one", async () => {
    const { url } = await start();
    const client = await connect(url, mode);
    const result = await client.callTool({ name: "echo", arguments: { text: 5 } });
    expect(result.isError).toBe(true);
    expect(JSON.stringify(result.content)).toContain("text");
  });
});

describe("host_report", () => {
  async function callWith(text: string | undefined, args: Record<string, unknown> = {}) {
    const folder = await mkdtemp(path.join(tmpdir(), "bedplate-service-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = path.join(folder, "report.json");
    if (text !== undefined) await writeFile(file, text);
    const { url } = await start({ HOST_REPORT_PATH: file });
    const client = await connect(url, { pin: MODERN });
    return client.callTool({ name: "host_report", arguments: args });
  }

  it("tells each knob before and after", async () => {
    expect((await callWith(JSON.stringify(REPORT))).structuredContent).toMatchObject({
      hostname: "lab",
      counts: { changed: 1, "already-right": 1 },
      knobs: [
        { key: "net.core.somaxconn", outcome: "changed", before: "4096", found: "16384", isVerified: true },
        { key: "vm.swappiness", outcome: "already-right" },
      ],
    });
  });

  it("leaves out knobs of another outcome", async () => {
    const { structuredContent } = await callWith(JSON.stringify(REPORT), { outcome: "changed" });
    expect(structuredContent).toMatchObject({ knobs: [{ key: "net.core.somaxconn" }] });
  });

  it.each([
    ["no file", undefined, "the tuning agent has not run on this host"],
    ["half a file", '{"apiVersion":', "it is not JSON"],
    ["another contract", '{"kind":"HostPlan"}', "it is no bedplate/v1 HostReport"],
  ])("fails in words for %s", async (_title, text, words) => {
    const result = await callWith(text);
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringContaining(words) }] });
  });
});

describe("a call that takes too long", () => {
  it("ends at the longest call's time, in words, though its tool does not heed the signal", async () => {
    const folder = await mkdtemp(path.join(tmpdir(), "bedplate-service-"));
    const pipe = path.join(folder, "report.json");
    await execa("mkfifo", [pipe]);
    const { url } = await start({ HOST_REPORT_PATH: pipe, LONGEST_CALL_SECONDS: "1" });
    const client = await connect(url, { pin: MODERN });
    // Opening a pipe waits in the kernel until somebody writes; only then can the thread be had back.
    onTestFinished(async () => {
      const writer = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK);
      await writer.close();
      await rm(folder, { recursive: true, force: true });
    });
    expect(await client.callTool({ name: "host_report", arguments: {} })).toMatchObject({
      isError: true,
      content: [{ text: "Timed out: the call took more than 1 s" }],
    });
    const { body } = await send(new URL("/metrics", url), { method: "GET" });
    expect(body).toContain(
      'mcp_tool_call_duration_seconds_count{tool="host_report",era="modern",outcome="timeout"} 1',
    );
  });
});

describe("/mcp", () => {
  it("answers a 2025-06-18 client that does the handshake by itself", async () => {
    const { url } = await start();
    const headers = { "content-type": "application/json", accept: "application/json, text/event-stream" };
    const answer = await send(
      url,
      { headers },
      JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "initialize",
        params: {
          protocolVersion: "2025-06-18",
          capabilities: {},
          clientInfo: { name: "old", version: "1" },
        },
      }),
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('"protocolVersion":"2025-06-18"');
    expect(answer.headers["mcp-session-id"], "no state between requests").toBeUndefined();
  });

  it("lets clients and proxies keep the list of tools", async () => {
    const { url } = await start();
    const answer = await send(
      url,
      { headers: modernHeaders("", "tools/list") },
      modernCall("", {}, "tools/list"),
    );
    expect(JSON.parse(answer.body)).toMatchObject({ result: { ttlMs: 300_000, cacheScope: "public" } });
  });

  it("refuses a header that says other than the body", async () => {
    const { url } = await start();
    const answer = await send(
      url,
      { headers: modernHeaders("host_report") },
      modernCall("echo", { text: "a" }),
    );
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: -32_020 } });
  });

  it.each([
    ["a foreign Origin", { origin: "https://evil.example" }],
    ["a foreign Host, as after DNS rebinding", { host: "evil.example" }],
  ])("refuses %s", async (_title, header) => {
    const { url } = await start();
    const answer = await send(
      url,
      { headers: { ...modernHeaders("echo"), ...header } },
      modernCall("echo", { text: "a" }),
    );
    expect(answer.status).toBe(403);
  });

  it("takes the Host and the Origin that are configured", async () => {
    const { url } = await start({ ALLOWED_HOSTS: "mcp.example", ALLOWED_ORIGINS: "app.example" });
    const answer = await send(
      url,
      { headers: { ...modernHeaders("echo"), host: "mcp.example:443", origin: "https://app.example" } },
      modernCall("echo", { text: "a" }),
    );
    expect(answer.status).toBe(200);
  });

  it("refuses a body above the limit", async () => {
    const { url } = await start({ MAX_BODY_BYTES: "2048" });
    const answer = await send(
      url,
      { headers: modernHeaders("echo") },
      modernCall("echo", { text: "a".repeat(4000) }),
    );
    expect(answer.status).toBe(413);
  });

  it("refuses 2025 clients where only the new revision is served, and the other way round", async () => {
    const modern = await start({ PROTOCOL_ERA: "modern" });
    await expect(connect(modern.url, "legacy")).rejects.toThrow();
    const legacy = await start({ PROTOCOL_ERA: "legacy" });
    await expect(connect(legacy.url, { pin: MODERN })).rejects.toThrow();
    const client = await connect(legacy.url, "legacy");
    expect((await client.listTools()).tools).toHaveLength(TOOL_NAMES.length);
  });
});

describe("platform paths", () => {
  it("answer by any Host, as probes call by address", async () => {
    const { url } = await start();
    for (const [at, text] of [
      ["/healthz", "ok\n"],
      ["/readyz", "ready\n"],
    ] as const) {
      const answer = await send(new URL(at, url), { method: "GET", headers: { host: "10.0.0.7" } });
      expect(answer).toMatchObject({ status: 200, body: text });
    }
  });

  it("say not ready, but healthy, while draining", async () => {
    const { url, service } = await start();
    service.startDraining();
    expect((await send(new URL("/readyz", url), { method: "GET" })).status).toBe(503);
    const healthy = await send(new URL("/healthz", url), { method: "GET" });
    expect(healthy).toMatchObject({ status: 200, headers: { connection: "close" } });
  });

  it("give metrics of tools by outcome, of requests and of the process", async () => {
    const { url } = await start({ HOST_REPORT_PATH: "/nonexistent/report.json" });
    const client = await connect(url, { pin: MODERN });
    await client.callTool({ name: "echo", arguments: { text: "a" } });
    await client.callTool({ name: "host_report", arguments: {} });
    await send(url, { headers: modernHeaders("host_report") }, modernCall("echo"));
    const { body, headers } = await send(new URL("/metrics", url), { method: "GET" });
    expect(headers["content-type"]).toContain("text/plain; version=0.0.4");
    const samples = samplesOf(body);
    expect(samples.get('mcp_tool_call_duration_seconds_count{tool="echo",era="modern",outcome="ok"}')).toBe(
      1,
    );
    expect(
      samples.get('mcp_tool_call_duration_seconds_count{tool="host_report",era="modern",outcome="error"}'),
    ).toBe(1);
    expect(samples.get('mcp_http_requests_total{path="/mcp",status="400"}')).toBe(1);
    expect(samples.get("mcp_rejected_requests_total")).toBe(1);
    expect(samples.get("mcp_requests_in_flight")).toBe(0);
    expect(samples.get("mcp_open_connections")).toBeGreaterThan(0);
    expect(samples.has("nodejs_eventloop_lag_seconds")).toBe(true);
    expect(samples.has("process_resident_memory_bytes")).toBe(true);
  });

  it("know no other path, and no name of an object's own", async () => {
    const { url } = await start();
    for (const at of ["/", "/mcp/x", "/__proto__", "/constructor"]) {
      expect((await send(new URL(at, url), { method: "GET" })).status).toBe(404);
    }
  });
});
