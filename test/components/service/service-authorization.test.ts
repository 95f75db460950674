import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  authorizationEnvironment,
  serviceAuthorizationSchema,
} from "../../../components/service/service-authorization.ts";
import { renderServiceUnit, serviceSettingsSchema } from "../../../components/user-data/service-unit.ts";
import { parseServiceConfig } from "../../../service/config.ts";

const ISSUER = { issuer: "https://login.example.com/", resource: "https://mcp.example.com/mcp" };

describe("authorizationEnvironment()", () => {
  it("is what the service starts with on an address that others reach, whatever the contract takes", () => {
    const visible = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]{1,40}$/);
    const authorization = fc.record(
      {
        issuer: fc.constantFrom(
          ISSUER.issuer,
          "https://login.example.com",
          "https://a.example:8443/realms/b",
        ),
        resource: fc.constantFrom(ISSUER.resource, "https://mcp.example.com", "https://[2001:db8::1]/mcp"),
        scopes: fc.array(visible, { maxLength: 32 }),
        tokenType: fc.constantFrom("at+jwt", "JWT"),
        tenantClaim: visible,
        teamClaim: visible,
        maxTenants: fc.integer({ min: 1, max: 10_000 }),
        tenantRequestsPerSecond: fc.oneof(
          fc.integer({ min: 1, max: 100_000 }),
          fc.double({ min: 0.001, max: 100_000, noNaN: true }),
        ),
        tenantRequestBurst: fc.integer({ min: 1, max: 1_000_000 }),
      },
      { requiredKeys: ["issuer", "resource", "tenantRequestsPerSecond"] },
    );
    fc.assert(
      fc.property(authorization, (input) => {
        const parsed = serviceAuthorizationSchema.parse(input);
        const environment = Object.fromEntries(authorizationEnvironment(parsed));
        const config = parseServiceConfig({ BIND_ADDRESS: "0.0.0.0", ...environment });
        expect(config).toMatchObject({
          authorization: { issuer: input.issuer, scopes: parsed.scopes, tokenType: parsed.tokenType },
          callerClaims: { tenantClaim: parsed.tenantClaim, teamClaim: parsed.teamClaim },
          maxTenants: parsed.maxTenants,
          rateLimit: { requestsPerSecond: parsed.tenantRequestsPerSecond },
        });
        expect(config.authorization?.resource.href).toBe(new URL(input.resource).href);
      }),
    );
  });

  it("says that there is none, as the service does not start on such an address otherwise", () => {
    const environment = Object.fromEntries(authorizationEnvironment(undefined));
    expect(environment).toEqual({ AUTHORIZATION: "none" });
    expect(parseServiceConfig({ BIND_ADDRESS: "0.0.0.0", ...environment }).authorization).toBeUndefined();
  });
});

describe("renderServiceUnit()", () => {
  it("has the issuer, and no word of none beside it", () => {
    const settings = serviceSettingsSchema.parse({
      authorization: { ...ISSUER, scopes: ["100%", "mcp:call"] },
    });
    const unit = renderServiceUnit(settings);
    expect(unit).toContain('\nEnvironment="AUTHORIZATION_ISSUER=https://login.example.com/"\n');
    expect(unit).toContain('\nEnvironment="AUTHORIZATION_SCOPES=100%% mcp:call"\n');
    expect(unit).not.toContain("AUTHORIZATION=none");
    expect(renderServiceUnit(serviceSettingsSchema.parse({}))).toContain(
      '\nEnvironment="AUTHORIZATION=none"\n',
    );
  });
});

describe("serviceAuthorizationSchema", () => {
  it.each([
    [{ issuer: "http://login.example.com" }, "issuer"],
    [{ resource: "https://mcp.example.com/mcp#part" }, "resource"],
    [{ scopes: ["two words"] }, "scopes.0"],
    [{ tenantRequestBurst: 5 }, "tenantRequestBurst"],
    [{ secret: "x" }, ""],
  ])("fails on %j", (change, path) => {
    const { error } = serviceAuthorizationSchema.safeParse({ ...ISSUER, ...change });
    expect(error?.issues.map((issue) => issue.path.join("."))).toEqual([path]);
  });
});
