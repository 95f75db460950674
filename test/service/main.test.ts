import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { type Socket, connect as connectSocket } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";

const MAIN = path.resolve(import.meta.dirname, "../../service/main.ts");

interface LogLine {
  event: string;
  [key: string]: unknown;
}

interface Running {
  readonly stop: () => Promise<number | undefined>;
  readonly port: number;
  readonly lines: LogLine[];
  waitFor(event: string): Promise<LogLine>;
}

/** The real program, in a process of its own. */
async function startProcess(environment: Record<string, string> = {}): Promise<Running> {
  const program = execa(process.execPath, [MAIN], {
    env: { PORT: "0", ...environment },
    buffer: false,
    reject: false,
    timeout: 30_000,
    forceKillAfterDelay: 2000,
  });
  onTestFinished(() => {
    program.kill("SIGKILL");
  });
  const stop = async (): Promise<number | undefined> => {
    program.kill("SIGTERM");
    return (await program).exitCode;
  };
  const lines: LogLine[] = [];
  const waiting: { event: string; resolve: (line: LogLine) => void; reject: (error: Error) => void }[] = [];
  const reader = createInterface({ input: program.stdout });
  reader.on("line", (raw) => {
    const line = JSON.parse(raw) as LogLine;
    lines.push(line);
    for (const { event, resolve } of waiting) if (event === line.event) resolve(line);
  });
  reader.once("close", () => {
    for (const { event, reject } of waiting) reject(new Error(`the service ended before "${event}"`));
  });
  const waitFor = async (event: string): Promise<LogLine> =>
    lines.find((line) => line.event === event) ??
    new Promise((resolve, reject) => {
      waiting.push({ event, resolve, reject });
    });
  const listening = await waitFor("listening");
  return { stop, port: Number(listening["port"]), lines, waitFor };
}

/** A call whose body comes in two parts: it is in flight from the first part to the answer of the second. */
async function startSlowCall(port: number): Promise<{ finish(): Promise<string>; socket: Socket }> {
  const body = JSON.stringify({
    jsonrpc: "2.0",
    id: 7,
    method: "tools/call",
    params: { name: "echo", arguments: { text: "late" } },
  });
  const socket = connectSocket(port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
  });
  await once(socket, "connect");
  socket.write(
    `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2025-11-25\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`,
  );
  return {
    socket,
    finish: async () => {
      socket.write(body.slice(10));
      return text(socket);
    },
  };
}

async function untilInFlight(port: number, count: number): Promise<void> {
  await expect
    .poll(async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(), { timeout: 10_000 })
    .toContain(`\nmcp_requests_in_flight ${count}\n`);
}

describe("service/main.ts", () => {
  it("listens with the backlog that the kernel allows, not with Node's 511", async () => {
    const somaxconn = Number(await readFile("/proc/sys/net/core/somaxconn", "utf8"));
    const { lines } = await startProcess();
    expect(lines[0]).toMatchObject({ event: "listening", address: "127.0.0.1", listenBacklog: somaxconn });
  });

  it("finishes the call that is in flight when it is stopped, and takes no other", async () => {
    const running = await startProcess();
    const call = await startSlowCall(running.port);
    await untilInFlight(running.port, 1);
    const stopped = running.stop();
    await running.waitFor("draining");
    await expect(fetch(`http://127.0.0.1:${running.port}/healthz`)).rejects.toThrow();
    const answer = await call.finish();
    expect(answer).toContain('\\"text\\":\\"late\\"');
    expect(await stopped).toBe(0);
    expect(running.lines.at(-1)).toMatchObject({ event: "drained", cut: 0 });
  });

  it("cuts a call that outlasts the longest one, and says so", async () => {
    const running = await startProcess({ LONGEST_CALL_SECONDS: "1" });
    await startSlowCall(running.port);
    await untilInFlight(running.port, 1);
    expect(await running.stop()).toBe(1);
    expect(running.lines.at(-1)).toMatchObject({ event: "drained", cut: 1 });
  });

  it("never lets an idle client or an open subscription hold the stop", async () => {
    const running = await startProcess({ LONGEST_CALL_SECONDS: "30" });
    const client = new Client(
      { name: "test", version: "1.0.0" },
      { versionNegotiation: { mode: { pin: "2026-07-28" } } },
    );
    await client.connect(new StreamableHTTPClientTransport(new URL(`http://127.0.0.1:${running.port}/mcp`)));
    onTestFinished(() => client.close());
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const stream = await fetch(`http://127.0.0.1:${running.port}/mcp`, {
      method: "POST",
      signal: abort.signal,
      headers: {
        "content-type": "application/json",
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "subscriptions/listen",
      },
      body: JSON.stringify({
        jsonrpc: "2.0",
        id: 1,
        method: "subscriptions/listen",
        params: {
          notifications: { toolsListChanged: true },
          _meta: {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
          },
        },
      }),
    });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    expect(await running.stop()).toBe(0);
    expect(running.lines.at(-1)).toMatchObject({ event: "drained", cut: 0 });
    expect(Number(running.lines.at(-1)?.["durationMillis"])).toBeLessThan(30_000);
  });

  it("fails with exit code 2 and every fault of its environment", async () => {
    const run = await execa(process.execPath, [MAIN], {
      env: {
        PORT: "none",
        PROTOCOL_ERA: "old",
        MAX_BODY_BYTES: "1",
        LOG_LEVEL: "loud",
        ALLOWED_HOSTS: "a b",
      },
      reject: false,
      timeout: 30_000,
    });
    expect(run.exitCode).toBe(2);
    expect(run.stdout).toBe("");
    expect(run.stderr.split("\n")[0]).toBe("environment variables: 5 faults");
    for (const name of ["PORT", "PROTOCOL_ERA", "MAX_BODY_BYTES", "LOG_LEVEL", "ALLOWED_HOSTS[0]"]) {
      expect(run.stderr).toContain(`\n  ${name}: `);
    }
  });

  it("fails with exit code 1 when the port is taken", async () => {
    const { port } = await startProcess();
    const run = await execa(process.execPath, [MAIN], {
      env: { PORT: String(port) },
      reject: false,
      timeout: 30_000,
    });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("EADDRINUSE");
  });
});
