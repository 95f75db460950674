import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import * as z from "zod";

const CALL_TIMEOUT_MILLIS = 30_000;

/** What the service says of the limits that hold for its own process: proof that the tuning reached it. */
const effectiveLimitsSchema = z.object({
  openFilesSoft: z.number().nullable(),
  openFilesHard: z.number().nullable(),
  cpusAllowedList: z.string().nullable(),
  memsAllowedList: z.string().nullable(),
  listenBacklog: z.number(),
  networkNamespace: z.string().nullable(),
  sysctls: z.record(z.string(), z.string().nullable()),
});

export type EffectiveLimits = z.output<typeof effectiveLimitsSchema>;

export interface ServiceAnswer {
  readonly url: string;
  readonly serverName: string;
  readonly protocolVersion: string;
  readonly tool: "effective_limits";
  readonly limits: EffectiveLimits;
  readonly durationMillis: number;
}

/**
 * Calls the tool `effective_limits` of the service with a real MCP client.
 *
 * @throws when nothing answers at `url` within 30 s or the answer is not the tool's
 */
export async function callService(url: string): Promise<ServiceAnswer> {
  const startedAt = performance.now();
  const client = new Client(
    { name: "bedplate-local", version: "0.1.0" },
    { versionNegotiation: { mode: "auto" } },
  );
  await client.connect(new StreamableHTTPClientTransport(new URL(url)), { timeout: CALL_TIMEOUT_MILLIS });
  try {
    const result = await client.callTool(
      { name: "effective_limits", arguments: {} },
      { timeout: CALL_TIMEOUT_MILLIS },
    );
    if (result.isError === true)
      throw new Error(`Cannot call effective_limits: ${JSON.stringify(result.content)}`);
    return {
      url,
      serverName: client.getServerVersion()?.name ?? "unnamed",
      protocolVersion: client.getNegotiatedProtocolVersion() ?? "unknown",
      tool: "effective_limits",
      limits: effectiveLimitsSchema.parse(result.structuredContent),
      durationMillis: performance.now() - startedAt,
    };
  } finally {
    await client.close();
  }
}
