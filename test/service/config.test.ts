import { describe, expect, it } from "vitest";
import { InputError } from "../../host-tuning/errors.ts";
import { parseServiceConfig } from "../../service/config.ts";

describe("parseServiceConfig()", () => {
  it("listens on loopback only, unless told otherwise", () => {
    expect(parseServiceConfig({})).toEqual({
      port: 8080,
      bindAddress: "127.0.0.1",
      protocolEra: "dual",
      longestCallSeconds: 30,
      allowedHosts: [],
      allowedOrigins: [],
      maxBodyBytes: 1_048_576,
      maxSubscriptions: 1024,
      keepAliveSeconds: 65,
      hostReportPath: "/var/lib/bedplate/report.json",
      logLevel: "info",
      authorization: undefined,
      callerClaims: { tenantClaim: "client_id", teamClaim: undefined },
      maxTenants: 100,
      rateLimit: undefined,
    });
  });

  it("takes lists with commas and ignores variables that are not its own", () => {
    const config = parseServiceConfig({ ALLOWED_HOSTS: " mcp.example, [::1],", PATH: "/bin" });
    expect(config.allowedHosts).toEqual(["mcp.example", "[::1]"]);
  });

  it("takes an issuer, a tenant's claims and rate", () => {
    const config = parseServiceConfig({
      BIND_ADDRESS: "0.0.0.0",
      AUTHORIZATION_ISSUER: "https://login.example.com/tenant/",
      AUTHORIZATION_RESOURCE: "https://mcp.example.com/mcp",
      AUTHORIZATION_SCOPES: "mcp:call  mcp:read",
      TENANT_CLAIM: "https://example.com/tenant",
      TEAM_CLAIM: "team",
      MAX_TENANTS: "20",
      TENANT_REQUESTS_PER_SECOND: "0.5",
    });
    expect(config).toMatchObject({
      authorization: {
        issuer: "https://login.example.com/tenant/",
        resource: new URL("https://mcp.example.com/mcp"),
        scopes: ["mcp:call", "mcp:read"],
        tokenType: "at+jwt",
      },
      callerClaims: { tenantClaim: "https://example.com/tenant", teamClaim: "team" },
      maxTenants: 20,
      rateLimit: { requestsPerSecond: 0.5, burst: 1 },
    });
  });

  it.each([["::"], ["0.0.0.0"], ["10.0.0.7"]])(
    "fails on %s with neither an issuer nor AUTHORIZATION=none",
    (address) => {
      expect(() => parseServiceConfig({ BIND_ADDRESS: address })).toThrow("AUTHORIZATION_ISSUER: is needed");
      expect(parseServiceConfig({ BIND_ADDRESS: address, AUTHORIZATION: "none" }).authorization).toBe(
        undefined,
      );
    },
  );

  it.each([
    [{ AUTHORIZATION_ISSUER: "https://login.example.com" }, ["AUTHORIZATION_RESOURCE"]],
    [{ AUTHORIZATION_SCOPES: "a", TEAM_CLAIM: "team" }, ["AUTHORIZATION_SCOPES", "TEAM_CLAIM"]],
    [{ TENANT_REQUEST_BURST: "5" }, ["TENANT_REQUEST_BURST"]],
    [
      {
        AUTHORIZATION: "none",
        AUTHORIZATION_ISSUER: "https://a.example",
        AUTHORIZATION_RESOURCE: "https://b.example",
      },
      ["AUTHORIZATION"],
    ],
    [
      {
        AUTHORIZATION_ISSUER: "http://login.example.com",
        AUTHORIZATION_RESOURCE: "https://mcp.example.com/#part",
        AUTHORIZATION_SCOPES: 'a"b',
        TENANT_CLAIM: "a claim",
        TENANT_REQUESTS_PER_SECOND: "0",
      },
      [
        "AUTHORIZATION_ISSUER",
        "AUTHORIZATION_RESOURCE",
        "AUTHORIZATION_SCOPES[0]",
        "TENANT_CLAIM",
        "TENANT_REQUESTS_PER_SECOND",
      ],
    ],
  ])("fails with every variable of authorization that is wrong: %j", (environment, paths) => {
    let faults: readonly string[] = [];
    try {
      parseServiceConfig(environment);
    } catch (error) {
      faults = (error as InputError).faults.map((fault) => fault.path);
    }
    expect(faults).toEqual(paths);
  });

  it("fails with every variable that is wrong at once", () => {
    const run = () =>
      parseServiceConfig({
        PORT: "70000",
        BIND_ADDRESS: "everywhere",
        PROTOCOL_ERA: "old",
        LONGEST_CALL_SECONDS: "1e3",
        ALLOWED_ORIGINS: "https://site.example",
      });
    expect(run).toThrow(InputError);
    try {
      run();
    } catch (error) {
      expect((error as InputError).faults.map((fault) => fault.path)).toEqual([
        "PORT",
        "BIND_ADDRESS",
        "PROTOCOL_ERA",
        "LONGEST_CALL_SECONDS",
        "ALLOWED_ORIGINS[0]",
      ]);
    }
  });
});
