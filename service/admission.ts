import type { IncomingMessage, ServerResponse } from "node:http";
import type { NodeIncomingMessageLike } from "@modelcontextprotocol/node";
import { type ResourceServer, createResourceServer } from "./authorization/resource-server.ts";
import { UNKNOWN_CALLER, callerIn } from "./callers/caller.ts";
import type { CallerLabels } from "./callers/caller-labels.ts";
import { RateLimiter } from "./callers/rate-limiter.ts";
import type { ServiceParts } from "./mcp-handler.ts";

export type Route = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/** What is in front of the MCP endpoint: who may call, and how often. */
export interface Admission {
  /** Notes on the request who calls; where it is refused, that is answered already. */
  admit(request: NodeIncomingMessageLike, response: ServerResponse): Promise<boolean>;
  /** Where a client without a token reads how to get one. */
  readonly routes: Readonly<Record<string, Route>>;
}

/** How a refusal is counted, by its status. */
const REASONS: Readonly<Record<number, string>> = {
  401: "unauthorized",
  403: "insufficient-scope",
  429: "rate",
  503: "issuer-unreachable",
};

export function createAdmission({ config, metrics, log }: ServiceParts, labels: CallerLabels): Admission {
  const { authorization, callerClaims, rateLimit } = config;
  const resourceServer =
    authorization === undefined ? undefined : createResourceServer(authorization, callerClaims, log);
  const rateLimiter = rateLimit === undefined ? undefined : new RateLimiter(rateLimit);

  /** The answer that refuses a request, or nothing. */
  const refusalOf = async (request: NodeIncomingMessageLike): Promise<Response | undefined> => {
    if (resourceServer !== undefined) {
      const { authorization: header } = request.headers;
      const authorized = await resourceServer.authorize(typeof header === "string" ? header : undefined);
      if (authorized instanceof Response) return authorized;
      request.auth = authorized;
    }
    const waitMillis = rateLimiter?.take(callerIn(request.auth).tenant, performance.now()) ?? 0;
    return waitMillis === 0 ? undefined : tooManyRequests(waitMillis);
  };

  return {
    admit: async (request, response) => {
      const refusal = await refusalOf(request);
      if (refusal === undefined) return true;
      const caller = request.auth === undefined ? UNKNOWN_CALLER : labels.of(callerIn(request.auth));
      metrics.refusedRequests.inc({ reason: REASONS[refusal.status] ?? "failed", ...caller });
      await sendAnswer(response, refusal);
      return false;
    },
    routes: resourceServer === undefined ? {} : metadataRoutes(resourceServer),
  };
}

function tooManyRequests(waitMillis: number): Response {
  const seconds = Math.ceil(waitMillis / 1000);
  const message = `Too many requests of this tenant: try again in ${seconds} s`;
  return Response.json(
    { jsonrpc: "2.0", error: { code: -32_000, message, data: { retryAfterSeconds: seconds } }, id: null },
    { status: 429, headers: { "retry-after": String(seconds) } },
  );
}

/** RFC 9728, section 3: public, and read by scripts of any origin. */
function metadataRoutes({ metadata, metadataPaths }: ResourceServer): Readonly<Record<string, Route>> {
  const sendMetadata: Route = async ({ method }, response) => {
    const isRead = method === "GET" || method === "HEAD";
    const answer = isRead
      ? Response.json(metadata, { headers: { "access-control-allow-origin": "*" } })
      : new Response(null, { status: 405, headers: { allow: "GET, HEAD" } });
    await sendAnswer(response, answer);
  };
  return Object.fromEntries(metadataPaths.map((path) => [path, sendMetadata]));
}

async function sendAnswer(response: ServerResponse, answer: Response): Promise<void> {
  response.writeHead(answer.status, { "cache-control": "no-store", ...Object.fromEntries(answer.headers) });
  response.end(await answer.text());
}
