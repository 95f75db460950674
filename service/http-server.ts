import { type IncomingMessage, type Server, type ServerResponse, createServer } from "node:http";
import {
  type NodeIncomingMessageLike,
  hostHeaderValidation,
  originValidation,
  toNodeHandler,
} from "@modelcontextprotocol/node";
import { type ServiceHandler, type ServiceParts, createServiceHandler } from "./mcp-handler.ts";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** Time for a client to send a whole request. */
const REQUEST_TIMEOUT_MILLIS = 30_000;

/** First TCP keep-alive probe; further ones by tcp_keepalive_intvl. Without it a dead peer is never noticed. */
const TCP_KEEP_ALIVE_MILLIS = 60_000;

export interface ServiceServer {
  readonly server: Server;
  readonly handler: ServiceHandler;
  /** MCP requests that are being answered; subscriptions, which never end by themselves, are left out. */
  requestsInFlight(): number;
  /** From now on: not ready, and every answer closes its connection. */
  startDraining(): void;
}

/**
 * HTTP in front of the MCP endpoint: `/mcp`, and for the platform `/healthz` (the process answers), `/readyz` (it takes
 * requests) and `/metrics`. Host and Origin are checked on `/mcp` only: probes and scrapers call by address.
 */
export function createServiceServer(parts: ServiceParts): ServiceServer {
  const { config, log, metrics } = parts;
  const handler = createServiceHandler(parts);
  const isHostAllowed = hostHeaderValidation([...LOOPBACK_NAMES, ...config.allowedHosts]);
  const isOriginAllowed = originValidation([...LOOPBACK_NAMES, ...config.allowedOrigins]);
  const answerMcp = toNodeHandler(handler, {
    maxRequestBodySize: config.maxBodyBytes,
    onerror: (error) => {
      // A client that leaves in the middle of its own request is no failure of the service.
      const hasClientLeft = "code" in error && error.code === "ECONNRESET";
      log[hasClientLeft ? "debug" : "error"]({ event: "request-failed", err: error });
    },
  });
  let inFlight = 0;
  let isDraining = false;

  const routes: Readonly<
    Record<string, (request: IncomingMessage, response: ServerResponse) => Promise<void>>
  > = {
    "/mcp": async (request, response) => {
      if (!isHostAllowed(request, response) || !isOriginAllowed(request, response)) return;
      if (request.headers["mcp-method"] !== "subscriptions/listen") {
        inFlight += 1;
        metrics.requestsInFlight.inc();
        response.once("close", () => {
          inFlight -= 1;
          metrics.requestsInFlight.dec();
        });
      }
      // Node's type says `method: string | undefined` where the adapter's says `method?: string`.
      await answerMcp(request as NodeIncomingMessageLike, response);
    },
    "/healthz": async (_request, response) => sendText(response, 200, "ok\n"),
    "/readyz": async (_request, response) =>
      isDraining ? sendText(response, 503, "draining\n") : sendText(response, 200, "ready\n"),
    "/metrics": async (_request, response) =>
      sendText(response, 200, await metrics.registry.metrics(), metrics.registry.contentType),
  };

  const server = createServer(
    {
      keepAlive: true,
      keepAliveInitialDelay: TCP_KEEP_ALIVE_MILLIS,
      keepAliveTimeout: config.keepAliveSeconds * 1000,
      requestTimeout: REQUEST_TIMEOUT_MILLIS,
      headersTimeout: REQUEST_TIMEOUT_MILLIS,
    },
    (request, response) => {
      const path = (request.url ?? "/").split("?", 1)[0] ?? "/";
      const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
      if (isDraining) response.setHeader("connection", "close");
      response.once("close", () => {
        metrics.httpRequests.inc({ path: route === undefined ? "other" : path, status: response.statusCode });
      });
      if (route === undefined) {
        sendText(response, 404, "not found\n");
        return;
      }
      route(request, response).catch((error: unknown) => {
        log.error({ event: "request-failed", path, err: error });
        if (response.headersSent) response.destroy();
        else sendText(response, 500, "internal error\n");
      });
    },
  );
  server.on("connection", (socket) => {
    metrics.openConnections.inc();
    socket.once("close", () => metrics.openConnections.dec());
  });
  return {
    server,
    handler,
    requestsInFlight: () => inFlight,
    startDraining: () => {
      isDraining = true;
    },
  };
}

function sendText(
  response: ServerResponse,
  status: number,
  text: string,
  contentType = "text/plain; charset=utf-8",
): void {
  response.writeHead(status, { "content-type": contentType, "cache-control": "no-store" });
  response.end(text);
}
