import { once } from "node:events";
import { type RequestOptions, request } from "node:http";
import type { AddressInfo } from "node:net";
import {
  Client,
  type OAuthClientProvider,
  StreamableHTTPClientTransport,
} from "@modelcontextprotocol/client";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { type ServiceConfig, parseServiceConfig } from "../../service/config.ts";
import { type ServiceServer, createServiceServer } from "../../service/http-server.ts";
import { createMetrics } from "../../service/metrics.ts";

export const MODERN = "2026-07-28";

export interface Running {
  readonly url: URL;
  readonly service: ServiceServer;
}

export async function start(environment: Record<string, string> = {}): Promise<Running> {
  const config: ServiceConfig = parseServiceConfig({ PORT: "0", ...environment });
  const service = createServiceServer({
    config,
    log: pino({ level: "silent" }),
    metrics: createMetrics(),
    toolContext: { hostReportPath: config.hostReportPath, listenBacklog: 4096 },
  });
  service.server.listen(config.port, config.bindAddress);
  await once(service.server, "listening");
  onTestFinished(async () => {
    await service.handler.close();
    service.server.closeAllConnections();
    service.server.close();
  });
  const { port } = service.server.address() as AddressInfo;
  return { url: new URL(`http://127.0.0.1:${port}/mcp`), service };
}

export async function connect(
  url: URL,
  mode: "legacy" | { pin: string },
  authProvider?: OAuthClientProvider,
): Promise<Client> {
  const client = new Client({ name: "test", version: "1.0.0" }, { versionNegotiation: { mode } });
  await client.connect(
    new StreamableHTTPClientTransport(url, authProvider === undefined ? {} : { authProvider }),
  );
  onTestFinished(() => client.close());
  return client;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: string;
}

/** A request as it stands, where fetch would set Host and Origin by itself. */
export async function send(url: URL, options: RequestOptions, body?: string): Promise<Answer> {
  const sent = request(url, { method: "POST", timeout: 10_000, ...options });
  sent.end(body);
  const [response] = await once(sent, "response");
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return {
    status: response.statusCode,
    headers: response.headers,
    body: Buffer.concat(chunks).toString("utf8"),
  };
}

export function modernCall(name: string, args: Record<string, unknown> = {}, method = "tools/call"): string {
  return JSON.stringify({
    jsonrpc: "2.0",
    id: 1,
    method,
    params: {
      name,
      arguments: args,
      _meta: {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
        "io.modelcontextprotocol/clientCapabilities": {},
      },
    },
  });
}

export function modernHeaders(name: string, method = "tools/call"): Record<string, string> {
  return {
    "content-type": "application/json",
    accept: "application/json, text/event-stream",
    "mcp-protocol-version": MODERN,
    "mcp-method": method,
    "mcp-name": name,
  };
}

/** Samples of the text format by name and labels, as in `up{job="x"}`. */
export function samplesOf(metrics: string): ReadonlyMap<string, number> {
  return new Map(
    metrics
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map(
        (line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))] as const,
      ),
  );
}
