import {
  type AuthInfo,
  OAuthError,
  type OAuthProtectedResourceMetadata,
  bearerAuthChallengeResponse,
  getOAuthProtectedResourceMetadataUrl,
  verifyBearerToken,
} from "@modelcontextprotocol/server";
import type { Logger } from "pino";
import type { CallerClaims } from "../callers/caller.ts";
import { IssuerUnreachableError, createIssuerKeys } from "./issuer-keys.ts";
import { type TokenRules, TokenVerifier } from "./token-verifier.ts";

export interface AuthorizationRules extends TokenRules {
  /** What every token has to have. */
  readonly scopes: readonly string[];
}

/** For a client to come back after the issuer did not answer. */
const RETRY_SECONDS = 5;

const METADATA_ROOT = "/.well-known/oauth-protected-resource";

/** The service as an OAuth 2.1 resource server, as MCP's authorization of 2026-07-28 has it. */
export interface ResourceServer {
  /** Where RFC 9728's document is: at the root, and with the path of the service's URL. */
  readonly metadataPaths: readonly string[];
  readonly metadata: OAuthProtectedResourceMetadata;
  /** Who calls; or the answer that refuses, 401, 403 or 503. */
  authorize(authorizationHeader: string | undefined): Promise<AuthInfo | Response>;
}

export function createResourceServer(
  rules: AuthorizationRules,
  claims: CallerClaims,
  log: Logger,
): ResourceServer {
  const { issuer, resource, scopes } = rules;
  const metadataUrl = getOAuthProtectedResourceMetadataUrl(resource);
  const options = {
    verifier: new TokenVerifier(rules, claims, createIssuerKeys(issuer)),
    requiredScopes: [...scopes],
    resourceMetadataUrl: metadataUrl,
  };
  return {
    metadataPaths: [...new Set([METADATA_ROOT, new URL(metadataUrl).pathname])],
    metadata: {
      resource: resource.href,
      authorization_servers: [issuer],
      bearer_methods_supported: ["header"],
      ...(scopes.length === 0 ? {} : { scopes_supported: [...scopes] }),
    },
    authorize: async (authorizationHeader) => {
      try {
        return await verifyBearerToken(authorizationHeader, options);
      } catch (error) {
        if (error instanceof IssuerUnreachableError) {
          log.error({ event: "issuer-unreachable", issuer, err: error });
          return issuerUnreachable(error);
        }
        const isRefusal = error instanceof OAuthError;
        log[isRefusal ? "debug" : "error"]({ event: "not-authorized", err: error });
        return bearerAuthChallengeResponse(error, options);
      }
    },
  };
}

/** Neither the token nor the request is at fault: the same one may be taken in a moment. */
function issuerUnreachable({ message }: IssuerUnreachableError): Response {
  return Response.json(
    { error: "temporarily_unavailable", error_description: message },
    { status: 503, headers: { "retry-after": String(RETRY_SECONDS) } },
  );
}
