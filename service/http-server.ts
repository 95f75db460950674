import { type Server, type ServerResponse, createServer } from "node:http";
import {
  type NodeIncomingMessageLike,
  hostHeaderValidation,
  originValidation,
  toNodeHandler,
} from "@modelcontextprotocol/node";
import { type Route, createAdmission } from "./admission.ts";
import { CallerLabels } from "./callers/caller-labels.ts";
import {
  type ServiceHandler,
  type ServiceParts,
  createServiceHandler,
  startCounting,
} from "./mcp-handler.ts";

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
 * requests) and `/metrics`. Host, Origin, the token and the tenant's rate are checked on `/mcp` only: probes and scrapers
 * call by address, and clients without a token read where to get one.
 */
export function createServiceServer(parts: ServiceParts): ServiceServer {
  const { config, log, metrics } = parts;
  const labels = new CallerLabels(config.maxTenants, (caller) => startCounting(metrics, caller));
  const handler = createServiceHandler(parts, labels);
  const admission = createAdmission(parts, labels);
  const { resource } = config.authorization ?? {};
  const isHostAllowed = hostHeaderValidation([
    ...LOOPBACK_NAMES,
    ...config.allowedHosts,
    ...(resource === undefined ? [] : [resource.hostname]),
  ]);
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

  const routes: Readonly<Record<string, Route>> = {
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
      const message = request as NodeIncomingMessageLike;
      if (await admission.admit(message, response)) await answerMcp(message, response);
    },
    "/healthz": async (_request, response) => sendText(response, 200, "ok\n"),
    "/readyz": async (_request, response) =>
      isDraining ? sendText(response, 503, "draining\n") : sendText(response, 200, "ready\n"),
    "/metrics": async (_request, response) =>
      sendText(response, 200, await metrics.registry.metrics(), metrics.registry.contentType),
    ...admission.routes,
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
