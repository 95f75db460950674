import { ClientCredentialsProvider } from "@modelcontextprotocol/client";
import { type JWTPayload, SignJWT, UnsecuredJWT, exportSPKI, generateKeyPair, importJWK } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import {
  CALL_SCOPE,
  type IssuerClient,
  type OAuthIssuer,
  startOAuthIssuer,
} from "../helpers/oauth-issuer.ts";
import { freePort } from "../helpers/prometheus-history.ts";
import {
  type Answer,
  MODERN,
  type Running,
  connect,
  modernCall,
  modernHeaders,
  samplesOf,
  send,
  start,
} from "./running-service.ts";

const ACME: IssuerClient = {
  clientId: "acme-agent",
  clientSecret: "acme-agent-password-of-32-characters",
  claims: { tenant: "acme", team: "search" },
};
const GLOBEX: IssuerClient = {
  clientId: "globex-agent",
  clientSecret: "globex-agent-password-of-32-characters",
  claims: { tenant: "globex" },
};

let issuer: OAuthIssuer;
beforeAll(async () => {
  issuer = await startOAuthIssuer([ACME, GLOBEX]);
});
afterAll(async () => issuer.stop());
afterEach(() => {
  vi.useRealTimers();
  issuer.setDown(false);
});

interface Protected extends Running {
  readonly resource: string;
  readonly metadataUrl: string;
}

/** The resource names the port, so the port is chosen first. */
async function startProtected(environment: Record<string, string> = {}): Promise<Protected> {
  const port = String(await freePort());
  const resource = `http://127.0.0.1:${port}/mcp`;
  const running = await start({
    PORT: port,
    AUTHORIZATION_ISSUER: issuer.address,
    AUTHORIZATION_RESOURCE: resource,
    AUTHORIZATION_SCOPES: CALL_SCOPE,
    TENANT_CLAIM: "tenant",
    TEAM_CLAIM: "team",
    ...environment,
  });
  const metadataUrl = `http://127.0.0.1:${port}/.well-known/oauth-protected-resource/mcp`;
  return { ...running, resource, metadataUrl };
}

async function callEcho(url: URL, token?: string): Promise<Answer> {
  const headers = modernHeaders("echo");
  const withToken = token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` };
  return await send(url, { headers: withToken }, modernCall("echo", { text: "a" }));
}

function challenge({ headers }: Answer): string {
  return String(headers["www-authenticate"]);
}

async function metricsOf(url: URL): Promise<ReadonlyMap<string, number>> {
  return samplesOf((await send(new URL("/metrics", url), { method: "GET" })).body);
}

const SECONDS_NOW = (): number => Math.floor(Date.now() / 1000);

/** What the issuer would say to the service; each test changes one thing. */
function claimsFor(resource: string): JWTPayload {
  return {
    iss: issuer.address,
    aud: resource,
    sub: "acme-agent",
    client_id: "acme-agent",
    scope: CALL_SCOPE,
    jti: "1",
    iat: SECONDS_NOW(),
    exp: SECONDS_NOW() + 600,
  };
}

function withoutEnd(resource: string): JWTPayload {
  const { exp: _end, ...claims } = claimsFor(resource);
  return claims;
}

async function signed(claims: JWTPayload, header: Record<string, string> = {}): Promise<string> {
  const key = issuer.signingKey();
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: "RS256", typ: "at+jwt", kid: String(key.kid), ...header })
    .sign(await importJWK(key, "RS256"));
}

describe("a client that the issuer knows", () => {
  it.each([
    ["revision 2026-07-28", { pin: MODERN }],
    ["the 2025 revisions", "legacy"],
  ] as const)(
    "finds the issuer by the service's answer and calls with its token, by %s",
    async (_name, mode) => {
      const { url, resource } = await startProtected();
      const client = await connect(
        url,
        mode,
        new ClientCredentialsProvider({ ...ACME, expectedIssuer: issuer.address }),
      );
      expect(await client.callTool({ name: "echo", arguments: { text: "a" } })).toMatchObject({
        structuredContent: { text: "a" },
      });
      const { body } = await send(new URL("/.well-known/oauth-protected-resource/mcp", url), {
        method: "GET",
      });
      expect(JSON.parse(body)).toEqual({
        resource,
        authorization_servers: [issuer.address],
        bearer_methods_supported: ["header"],
        scopes_supported: [CALL_SCOPE],
      });
    },
  );

  it("is counted by its tenant and team, without the histogram's buckets", async () => {
    const { url, resource } = await startProtected();
    const [acme, globex] = await Promise.all([ACME, GLOBEX].map((one) => issuer.token(one, resource)));
    for (const token of [acme, acme, globex]) expect((await callEcho(url, token)).status).toBe(200);
    const samples = await metricsOf(url);
    const calls = (labels: string): number | undefined =>
      samples.get(`mcp_tenant_tool_call_duration_seconds_count{tool="echo",outcome="ok",${labels}}`);
    expect(calls('tenant="acme",team="search"')).toBe(2);
    expect(calls('tenant="globex",team="none"')).toBe(1);
    const series = [...samples.keys()].filter((name) => name.startsWith("mcp_tenant_tool_call"));
    // 2 callers x 4 tools x 3 outcomes, each as count, sum and the bucket of all
    expect(series).toHaveLength(2 * 4 * 3 * 3);
    const inTools = [...samples].filter(([name]) => name.startsWith("mcp_tool_call_duration_seconds_count"));
    expect(inTools.reduce((sum, [, count]) => sum + count, 0)).toBe(3);
  });

  it("shares the label other beyond the configured number of tenants", async () => {
    const { url, resource } = await startProtected({ MAX_TENANTS: "1" });
    for (const tenant of ["first", "second", "third"]) {
      expect((await callEcho(url, await signed({ ...claimsFor(resource), tenant }))).status).toBe(200);
    }
    const samples = await metricsOf(url);
    const calls = (tenant: string, team: string): number | undefined =>
      samples.get(
        `mcp_tenant_tool_call_duration_seconds_count{tool="echo",outcome="ok",tenant="${tenant}",team="${team}"}`,
      );
    expect([calls("first", "none"), calls("second", "none"), calls("other", "other")]).toEqual([
      1,
      undefined,
      2,
    ]);
  });

  it("goes on being known when its token was checked once and the issuer is down", async () => {
    const { url, resource } = await startProtected();
    const token = await issuer.token(ACME, resource);
    expect((await callEcho(url, token)).status).toBe(200);
    issuer.setDown(true);
    expect((await callEcho(url, token)).status).toBe(200);
  });
});

describe("a request that is not authorized", () => {
  it("without a token is told where to get one, with 401", async () => {
    const { url, metadataUrl } = await startProtected();
    const answer = await callEcho(url);
    expect(answer.status).toBe(401);
    expect(challenge(answer)).toContain(`resource_metadata="${metadataUrl}"`);
    expect(challenge(answer)).toContain(`scope="${CALL_SCOPE}"`);
    expect(
      (await metricsOf(url)).get(
        'mcp_refused_requests_total{reason="unauthorized",tenant="none",team="none"}',
      ),
    ).toBe(1);
  });

  const wrong: readonly (readonly [string, (resource: string) => Promise<string>, string])[] = [
    [
      "expired",
      (resource) => signed({ ...claimsFor(resource), exp: SECONDS_NOW() - 60 }),
      "Token has expired",
    ],
    ["not valid yet", (resource) => signed({ ...claimsFor(resource), nbf: SECONDS_NOW() + 60 }), "nbf"],
    ["without an end", (resource) => signed(withoutEnd(resource)), "exp"],
    ["for another service", () => signed(claimsFor("https://other.example/mcp")), "aud"],
    [
      "of another issuer",
      (resource) => signed({ ...claimsFor(resource), iss: "https://evil.example" }),
      "iss",
    ],
    ["an id token", (resource) => signed(claimsFor(resource), { typ: "JWT" }), "typ"],
    ["no JWT", () => Promise.resolve("opaque"), "not valid"],
    ["with alg none", (resource) => Promise.resolve(new UnsecuredJWT(claimsFor(resource)).encode()), ""],
    [
      "signed with the public key as a shared secret",
      async (resource) => {
        const { publicKey } = await generateKeyPair("RS256", { extractable: true });
        const secret = new TextEncoder().encode(await exportSPKI(publicKey));
        const header = { alg: "HS256", typ: "at+jwt", kid: String(issuer.signingKey().kid) };
        return await new SignJWT(claimsFor(resource)).setProtectedHeader(header).sign(secret);
      },
      "algorithm",
    ],
    [
      "signed by another key of the same name",
      async (resource) => {
        const { privateKey } = await generateKeyPair("RS256");
        const header = { alg: "RS256", typ: "at+jwt", kid: String(issuer.signingKey().kid) };
        return await new SignJWT(claimsFor(resource)).setProtectedHeader(header).sign(privateKey);
      },
      "not valid",
    ],
    ["signed by an unknown key", (resource) => signed(claimsFor(resource), { kid: "never" }), "not valid"],
    [
      "changed after it was signed",
      async (resource) => {
        const [header, , signature] = (await signed(claimsFor(resource))).split(".");
        const payload = Buffer.from(JSON.stringify({ ...claimsFor(resource), tenant: "globex" }));
        return [header, payload.toString("base64url"), signature].join(".");
      },
      "not valid",
    ],
  ];
  it.each(wrong)("is refused with 401 where its token is %s", async (_name, token, words) => {
    const { url, resource } = await startProtected();
    expect((await callEcho(url, await signed(claimsFor(resource)))).status, "the right one").toBe(200);
    const answer = await callEcho(url, await token(resource));
    expect(answer.status).toBe(401);
    expect(challenge(answer)).toMatch(/^Bearer error="invalid_token"/);
    expect(challenge(answer)).toContain(words);
    expect(
      (await metricsOf(url)).get(
        'mcp_tool_call_duration_seconds_count{tool="echo",era="modern",outcome="ok"}',
      ),
    ).toBe(1);
  });

  it("is refused with 403 where its token lacks the scope", async () => {
    const { url, resource, metadataUrl } = await startProtected();
    const answer = await callEcho(url, await signed({ ...claimsFor(resource), scope: "mcp:read" }));
    expect(answer.status).toBe(403);
    expect(challenge(answer)).toMatch(/^Bearer error="insufficient_scope"/);
    expect(challenge(answer)).toContain(`scope="${CALL_SCOPE}"`);
    expect(challenge(answer)).toContain(`resource_metadata="${metadataUrl}"`);
  });

  it("is refused with 401 where the token is no header, and with 431 where the header is too long", async () => {
    const { url, resource } = await startProtected();
    const token = await issuer.token(ACME, resource);
    const inQuery = new URL(`?access_token=${token}`, url);
    expect((await callEcho(inQuery)).status).toBe(401);
    expect((await callEcho(url, "a".repeat(20_000))).status).toBe(431);
  });

  it("is refused with 503 where the issuer does not answer, and taken when it does again", async () => {
    vi.useFakeTimers({ toFake: ["performance"] });
    const { url, resource } = await startProtected();
    const token = await issuer.token(ACME, resource);
    issuer.setDown(true);
    const refused = await callEcho(url, token);
    expect(refused).toMatchObject({ status: 503, headers: { "retry-after": "5" } });
    expect(refused.headers["www-authenticate"], "its token is not at fault").toBeUndefined();
    const asked = (): number => [...issuer.requests.values()].reduce((sum, count) => sum + count, 0);
    const before = asked();
    expect((await callEcho(url, token)).status).toBe(503);
    expect(asked(), "the issuer is left in peace").toBe(before);
    issuer.setDown(false);
    vi.advanceTimersByTime(5001);
    expect((await callEcho(url, token)).status).toBe(200);
  });
});

describe("time and keys", () => {
  it("take a token to the end that it has, and half a minute of another clock", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, resource } = await startProtected();
    const token = await signed({ ...claimsFor(resource), exp: SECONDS_NOW() + 100 });
    const statusAfter = async (seconds: number): Promise<number> => {
      vi.setSystemTime(Date.now() + seconds * 1000);
      return (await callEcho(url, token)).status;
    };
    expect(await statusAfter(0)).toBe(200);
    expect(await statusAfter(125), "known, and within the skew").toBe(200);
    expect(await statusAfter(10), "known, and beyond it").toBe(401);
  });

  it("take a key that the issuer has changed to, and no longer the one before", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    const { url, resource } = await startProtected();
    const claims = { ...claimsFor(resource), exp: SECONDS_NOW() + 3600 };
    const before = await signed(claims);
    expect((await callEcho(url, before)).status).toBe(200);
    const notSeen = await signed({ ...claims, jti: "2" });
    issuer.rotateKey();
    // The keys are asked for again for a key that is not among them, at most every 30 s.
    vi.setSystemTime(Date.now() + 31_000);
    expect((await callEcho(url, await signed(claims))).status).toBe(200);
    expect((await callEcho(url, notSeen)).status, "signed by the old key").toBe(401);
    expect((await callEcho(url, before)).status, "checked a moment ago").toBe(200);
    vi.setSystemTime(Date.now() + 301_000);
    expect((await callEcho(url, before)).status, "checked too long ago").toBe(401);
  });

  it("never ask the issuer for every token of an unknown key", async () => {
    const { url, resource } = await startProtected();
    expect((await callEcho(url, await signed(claimsFor(resource)))).status).toBe(200);
    const asked = (): number => issuer.requests.get("/jwks") ?? 0;
    const before = asked();
    for (const kid of ["a", "b", "c", "d"]) {
      expect((await callEcho(url, await signed(claimsFor(resource), { kid }))).status).toBe(401);
    }
    expect(asked()).toBe(before);
  });
});

describe("paths that need no token", () => {
  it("are those of the platform, and the metadata for any origin", async () => {
    const { url } = await startProtected();
    for (const path of ["/healthz", "/readyz", "/metrics"]) {
      expect((await send(new URL(path, url), { method: "GET" })).status).toBe(200);
    }
    for (const path of [
      "/.well-known/oauth-protected-resource",
      "/.well-known/oauth-protected-resource/mcp",
    ]) {
      const read = await send(new URL(path, url), { method: "GET", headers: { host: "10.0.0.7" } });
      expect(read).toMatchObject({ status: 200, headers: { "access-control-allow-origin": "*" } });
      expect((await send(new URL(path, url), { method: "POST" })).status).toBe(405);
    }
  });

  it("never tell of an issuer where there is none", async () => {
    const { url } = await start();
    const read = await send(new URL("/.well-known/oauth-protected-resource", url), { method: "GET" });
    expect(read.status).toBe(404);
  });
});

describe("a tenant's rate", () => {
  it("refuses with 429 and when to come back, and no other tenant", async () => {
    const { url, resource } = await startProtected({
      TENANT_REQUESTS_PER_SECOND: "0.01",
      TENANT_REQUEST_BURST: "2",
    });
    const [acme, globex] = await Promise.all([ACME, GLOBEX].map((one) => issuer.token(one, resource)));
    const statuses: number[] = [];
    for (const token of [acme, acme, acme, globex]) statuses.push((await callEcho(url, token)).status);
    expect(statuses).toEqual([200, 200, 429, 200]);
    const refused = await callEcho(url, acme);
    expect(Number(refused.headers["retry-after"])).toBeGreaterThan(90);
    expect(JSON.parse(refused.body)).toMatchObject({ jsonrpc: "2.0", id: null, error: { code: -32_000 } });
    expect(
      (await metricsOf(url)).get('mcp_refused_requests_total{reason="rate",tenant="acme",team="search"}'),
    ).toBe(2);
  });

  it("holds for all callers together where nobody is asked for a token", async () => {
    const { url } = await start({ TENANT_REQUESTS_PER_SECOND: "0.01" });
    expect([(await callEcho(url)).status, (await callEcho(url)).status]).toEqual([200, 429]);
  });
});
