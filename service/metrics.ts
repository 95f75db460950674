import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

/** The service's metrics: what it does, and by prom-client's defaults how its process and event loop are. */
export interface ServiceMetrics {
  readonly registry: Registry;
  readonly httpRequests: Counter<"path" | "status">;
  readonly requestsInFlight: Gauge;
  readonly openConnections: Gauge;
  readonly toolCallSeconds: Histogram<"tool" | "era" | "outcome">;
  readonly tenantToolCallSeconds: Histogram<"tool" | "outcome" | "tenant" | "team">;
  readonly rejectedRequests: Counter;
  readonly refusedRequests: Counter<"reason" | "tenant" | "team">;
}

export function createMetrics(): ServiceMetrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const registers = [registry];
  return {
    registry,
    httpRequests: new Counter({
      name: "mcp_http_requests_total",
      help: "HTTP requests answered, by path and status",
      labelNames: ["path", "status"],
      registers,
    }),
    requestsInFlight: new Gauge({
      name: "mcp_requests_in_flight",
      help: "MCP requests that are being answered, subscriptions left out",
      registers,
    }),
    openConnections: new Gauge({
      name: "mcp_open_connections",
      help: "Client connections that are open",
      registers,
    }),
    toolCallSeconds: new Histogram({
      name: "mcp_tool_call_duration_seconds",
      help: "Time in a tool, by tool, protocol era and outcome",
      labelNames: ["tool", "era", "outcome"],
      buckets: [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60],
      registers,
    }),
    tenantToolCallSeconds: new Histogram({
      name: "mcp_tenant_tool_call_duration_seconds",
      help: "Number of and time in tool calls, by who they are for; without buckets, as those times tenants are many series",
      labelNames: ["tool", "outcome", "tenant", "team"],
      buckets: [],
      registers,
    }),
    rejectedRequests: new Counter({
      name: "mcp_rejected_requests_total",
      help: "MCP requests that the protocol layer refused or failed to answer",
      registers,
    }),
    refusedRequests: new Counter({
      name: "mcp_refused_requests_total",
      help: "MCP requests that were refused before the protocol layer: by authorization or a tenant's rate",
      labelNames: ["reason", "tenant", "team"],
      registers,
    }),
  };
}
