import * as z from "zod";
import type { CallerClaims } from "../callers/caller.ts";
import type { RateLimit } from "../callers/rate-limiter.ts";
import { wholeNumber } from "../whole-number.ts";
import { isSafeIssuerUrl } from "./issuer-keys.ts";
import type { AuthorizationRules } from "./resource-server.ts";

/** A URL that tokens and metadata name; compared as it stands, so without what would make two of one. */
const identifierUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url !== null && isSafeIssuerUrl(url) && url.search === "" && url.hash === "" && url.username === "";
}, "an https URL without query and fragment; http on this machine alone");

const claimName = z.string().regex(/^[\x21-\x7e]{1,128}$/, "the name of a claim, as tenant");

/** RFC 6749, appendix A.4. */
const scopeList = z
  .string()
  .transform((text) => text.split(" ").filter((scope) => scope !== ""))
  .pipe(z.array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, "a scope")).max(32));

/** Who may call, who a call is counted for, and how often one may. All off unless given. */
export const authorizationVariables = {
  AUTHORIZATION: z.literal("none").optional(),
  AUTHORIZATION_ISSUER: identifierUrl.optional(),
  AUTHORIZATION_RESOURCE: identifierUrl.optional(),
  AUTHORIZATION_SCOPES: scopeList.optional(),
  AUTHORIZATION_TOKEN_TYPE: z.enum(["at+jwt", "JWT"]).optional(),
  TENANT_CLAIM: claimName.optional(),
  TEAM_CLAIM: claimName.optional(),
  MAX_TENANTS: wholeNumber(1, 10_000).prefault("100"),
  TENANT_REQUESTS_PER_SECOND: z
    .string()
    .regex(/^\d{1,6}(\.\d{1,20})?$/, "a number of requests, as 50 or 0.5")
    .transform(Number)
    .pipe(z.number().min(0.001).max(100_000))
    .optional(),
  TENANT_REQUEST_BURST: wholeNumber(1, 1_000_000).optional(),
};

type Variables = z.output<z.ZodObject<typeof authorizationVariables>>;

/** Without an issuer these would be read by nothing, and somebody thinks that they are. */
const ISSUER_NEEDED = [
  "AUTHORIZATION_RESOURCE",
  "AUTHORIZATION_SCOPES",
  "AUTHORIZATION_TOKEN_TYPE",
  "TENANT_CLAIM",
  "TEAM_CLAIM",
] as const satisfies readonly (keyof Variables)[];

function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** What no variable has wrong by itself. A service that others reach is never open because somebody forgot a line. */
export function authorizationFaults(
  variables: Variables,
  bindAddress: string,
): readonly { readonly path: keyof Variables; readonly message: string }[] {
  const { AUTHORIZATION: none, AUTHORIZATION_ISSUER: issuer } = variables;
  const faults: { path: keyof Variables; message: string }[] = [];
  if (issuer === undefined) {
    if (none === undefined && !isLoopback(bindAddress)) {
      const message = `is needed, as ${bindAddress} is reached from elsewhere; or AUTHORIZATION=none, where something in front authorizes callers`;
      faults.push({ path: "AUTHORIZATION_ISSUER", message });
    }
    for (const path of ISSUER_NEEDED) {
      if (variables[path] !== undefined) faults.push({ path, message: "needs AUTHORIZATION_ISSUER" });
    }
  } else {
    if (none !== undefined) faults.push({ path: "AUTHORIZATION", message: "none, and there is an issuer" });
    if (variables.AUTHORIZATION_RESOURCE === undefined) {
      const message = "is needed: the URL that clients call, as https://mcp.example.com/mcp";
      faults.push({ path: "AUTHORIZATION_RESOURCE", message });
    }
  }
  if (variables.TENANT_REQUEST_BURST !== undefined && variables.TENANT_REQUESTS_PER_SECOND === undefined) {
    faults.push({ path: "TENANT_REQUEST_BURST", message: "needs TENANT_REQUESTS_PER_SECOND" });
  }
  return faults;
}

export interface CallerConfig {
  /** Undefined where callers are not asked for a token. */
  readonly authorization: AuthorizationRules | undefined;
  readonly callerClaims: CallerClaims;
  /** Tenants, with their teams, that have a label of their own in the metrics. */
  readonly maxTenants: number;
  readonly rateLimit: RateLimit | undefined;
}

/** Of variables that have no fault. */
export function callerConfigOf(variables: Variables): CallerConfig {
  const { AUTHORIZATION_ISSUER: issuer, AUTHORIZATION_RESOURCE: resource } = variables;
  const requestsPerSecond = variables.TENANT_REQUESTS_PER_SECOND;
  return {
    authorization:
      issuer === undefined || resource === undefined
        ? undefined
        : {
            issuer,
            resource: new URL(resource),
            scopes: variables.AUTHORIZATION_SCOPES ?? [],
            tokenType: variables.AUTHORIZATION_TOKEN_TYPE ?? "at+jwt",
          },
    callerClaims: { tenantClaim: variables.TENANT_CLAIM ?? "client_id", teamClaim: variables.TEAM_CLAIM },
    maxTenants: variables.MAX_TENANTS,
    rateLimit:
      requestsPerSecond === undefined
        ? undefined
        : { requestsPerSecond, burst: variables.TENANT_REQUEST_BURST ?? Math.ceil(requestsPerSecond) },
  };
}
