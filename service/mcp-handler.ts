import {
  type CallToolResult,
  type McpRequestContext,
  McpServer,
  createMcpHandler,
  legacyStatelessFallback,
} from "@modelcontextprotocol/server";
import type { FetchLikeMcpHandler } from "@modelcontextprotocol/node";
import type { Logger } from "pino";
import packageFile from "../package.json" with { type: "json" };
import { type Caller, callerIn } from "./callers/caller.ts";
import type { CallerLabels } from "./callers/caller-labels.ts";
import type { ServiceConfig } from "./config.ts";
import type { ServiceMetrics } from "./metrics.ts";
import { TOOLS } from "./tools/registry.ts";
import { type AnyTool, type ToolContext, ToolError } from "./tools/tool.ts";

export interface ServiceParts {
  readonly config: ServiceConfig;
  readonly metrics: ServiceMetrics;
  readonly log: Logger;
  readonly toolContext: ToolContext;
}

export interface ServiceHandler extends FetchLikeMcpHandler {
  /** Ends the streams that are still open. */
  close(): Promise<void>;
}

/** How a tool call ended, as the metrics say it. */
const CALL_OUTCOMES = ["ok", "error", "timeout"] as const;
type CallOutcome = (typeof CALL_OUTCOMES)[number];

/** Series of a caller at 0, so that Prometheus sees its first calls as an increase. */
export function startCounting({ tenantToolCallSeconds }: ServiceMetrics, caller: Caller): void {
  for (const { name } of TOOLS) {
    for (const outcome of CALL_OUTCOMES) tenantToolCallSeconds.zero({ tool: name, outcome, ...caller });
  }
}

/** Tools and their description change only with a release, so a client or a shared proxy may keep them for a while. */
const CACHE_HINT = { ttlMs: 300_000, cacheScope: "public" } as const;

/**
 * The MCP endpoint, without state between requests: any request may go to any instance.
 *
 * `dual` serves revision 2026-07-28 and, each request by itself, clients of the 2025 revisions; `modern` refuses the
 * latter, `legacy` the former.
 */
export function createServiceHandler(parts: ServiceParts, labels: CallerLabels): ServiceHandler {
  const { config, log, metrics } = parts;
  const factory = ({ era, authInfo }: McpRequestContext): McpServer =>
    createServer(parts, { era, caller: labels.of(callerIn(authInfo)) });
  const onerror = (error: Error): void => {
    metrics.rejectedRequests.inc();
    log.debug({ event: "request-rejected", error: error.message });
  };
  if (config.protocolEra === "legacy") {
    return {
      fetch: legacyStatelessFallback(factory, onerror, { maxRequestBodySize: config.maxBodyBytes }),
      close: async () => {},
    };
  }
  return createMcpHandler(factory, {
    legacy: config.protocolEra === "dual" ? "stateless" : "reject",
    maxRequestBodySize: config.maxBodyBytes,
    maxSubscriptions: config.maxSubscriptions,
    onerror,
  });
}

/** What is known of a request before its tool runs. */
interface CallOrigin {
  readonly era: McpRequestContext["era"];
  /** As the metrics name it. */
  readonly caller: Caller;
}

/** A server for one request: cheap, as everything that it is made of exists already. */
function createServer(parts: ServiceParts, origin: CallOrigin): McpServer {
  const server = new McpServer(
    { name: "bedplate-reference", title: "Bedplate reference service", version: packageFile.version },
    {
      instructions: "Tells about the host that it runs on: how it was tuned, and which limits are in force.",
      cacheHints: { "tools/list": CACHE_HINT, "server/discover": CACHE_HINT },
    },
  );
  for (const tool of TOOLS) {
    const { name, title, description, inputSchema, outputSchema } = tool;
    server.registerTool(
      name,
      {
        title,
        description,
        inputSchema,
        outputSchema,
        annotations: { readOnlyHint: true, openWorldHint: false },
      },
      async (input, context) => callTool(parts, tool, origin, input, context.mcpReq.signal),
    );
  }
  return server;
}

/** Runs a tool within the longest call's time, and tells a failure as a result: the model can read those. */
async function callTool(
  { config, log, metrics, toolContext }: ServiceParts,
  tool: AnyTool,
  { era, caller }: CallOrigin,
  input: unknown,
  requestSignal: AbortSignal,
): Promise<CallToolResult> {
  const startedMillis = performance.now();
  const countCall = (outcome: CallOutcome): number => {
    const durationSeconds = (performance.now() - startedMillis) / 1000;
    metrics.toolCallSeconds.observe({ tool: tool.name, era, outcome }, durationSeconds);
    metrics.tenantToolCallSeconds.observe({ tool: tool.name, outcome, ...caller }, durationSeconds);
    return durationSeconds;
  };
  const deadline = AbortSignal.timeout(config.longestCallSeconds * 1000);
  try {
    const output = await untilAborted(
      tool.run(input, toolContext, AbortSignal.any([requestSignal, deadline])),
      deadline,
    );
    countCall("ok");
    return { content: [{ type: "text", text: JSON.stringify(output) }], structuredContent: output };
  } catch (error) {
    const outcome = deadline.aborted ? "timeout" : "error";
    const durationSeconds = countCall(outcome);
    log.warn({ event: "tool-failed", tool: tool.name, era, ...caller, outcome, durationSeconds, err: error });
    return { content: [{ type: "text", text: explainFailure(error, deadline, config) }], isError: true };
  }
}

function explainFailure(error: unknown, deadline: AbortSignal, config: ServiceConfig): string {
  if (deadline.aborted) return `Timed out: the call took more than ${config.longestCallSeconds} s`;
  return error instanceof ToolError ? error.message : "Internal error";
}

/** A tool that does not heed its signal must not hold the caller. */
async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
