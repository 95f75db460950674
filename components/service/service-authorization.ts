import * as z from "zod";

/** As the service checks it by itself: what is wrong is told before a host boots with it. */
const httpsUrl = z.string().refine((text) => {
  const url = URL.parse(text);
  return url?.protocol === "https:" && url.search === "" && url.hash === "" && url.username === "";
}, "an https URL without query and fragment");

const claimName = z.string().regex(/^[\x21-\x7e]{1,128}$/, "the name of a claim, as tenant");

/** Whose tokens the service takes, and what of them a call is counted by. Nothing here is secret: keys are public. */
export const serviceAuthorizationSchema = z
  .strictObject({
    issuer: httpsUrl.describe("The OAuth 2.1 authorization server, as its tokens spell it in iss"),
    resource: httpsUrl.describe(
      "The URL that clients call, as https://mcp.example.com/mcp: the tokens' audience",
    ),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, "a scope"))
      .max(32)
      .default([])
      .describe("What every token has to have"),
    tokenType: z
      .enum(["at+jwt", "JWT"])
      .default("at+jwt")
      .describe("typ of a token's header: at+jwt by RFC 9068; JWT for issuers that do not keep to it"),
    tenantClaim: claimName.default("client_id").describe("Claim that names the tenant that a call is for"),
    teamClaim: claimName.optional().describe("Claim that names the tenant's team"),
    maxTenants: z
      .int()
      .min(1)
      .max(10_000)
      .default(100)
      .describe(
        "Tenants, with their teams, that the metrics have by name; further ones are counted as other",
      ),
    tenantRequestsPerSecond: z
      .number()
      .min(0.001)
      .max(100_000)
      .optional()
      .describe("Requests of one tenant to one replica, on average; without it as many as it likes"),
    tenantRequestBurst: z
      .int()
      .min(1)
      .max(1_000_000)
      .optional()
      .describe("Requests at once after a rest; those of one second unless given"),
  })
  .refine(
    ({ tenantRequestsPerSecond, tenantRequestBurst }) =>
      tenantRequestBurst === undefined || tenantRequestsPerSecond !== undefined,
    { path: ["tenantRequestBurst"], error: "needs tenantRequestsPerSecond" },
  );

export type ServiceAuthorization = z.output<typeof serviceAuthorizationSchema>;

/** What the service reads, name and value; that there is none is said too, as it does not start otherwise. */
export function authorizationEnvironment(
  authorization: ServiceAuthorization | undefined,
): readonly (readonly [string, string])[] {
  if (authorization === undefined) return [["AUTHORIZATION", "none"]];
  const variables: readonly (readonly [string, string | number | undefined])[] = [
    ["AUTHORIZATION_ISSUER", authorization.issuer],
    ["AUTHORIZATION_RESOURCE", authorization.resource],
    ["AUTHORIZATION_SCOPES", authorization.scopes.join(" ")],
    ["AUTHORIZATION_TOKEN_TYPE", authorization.tokenType],
    ["TENANT_CLAIM", authorization.tenantClaim],
    ["TEAM_CLAIM", authorization.teamClaim],
    ["MAX_TENANTS", authorization.maxTenants],
    ["TENANT_REQUESTS_PER_SECOND", authorization.tenantRequestsPerSecond],
    ["TENANT_REQUEST_BURST", authorization.tenantRequestBurst],
  ];
  return variables.flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)] as const]));
}
