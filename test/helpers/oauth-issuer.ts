import { once } from "node:events";
import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { type JWK, exportJWK, generateKeyPair } from "jose";
import { Provider } from "oidc-provider";

/** Who may ask for tokens, and what its tokens say beside what they have to. */
export interface IssuerClient {
  readonly clientId: string;
  readonly clientSecret: string;
  readonly claims: Readonly<Record<string, string>>;
}

/** A real OAuth authorization server on this machine, with client credentials and JWT access tokens by RFC 9068. */
export interface OAuthIssuer {
  readonly address: string;
  /** The private key that it signs with now. */
  signingKey(): JWK;
  /** The second key from now on; the first is gone from its JWKS. */
  rotateKey(): void;
  /** Answers 500 to everything, or no longer. */
  setDown(isDown: boolean): void;
  /** Requests that it had, by path. */
  readonly requests: Map<string, number>;
  token(client: IssuerClient, resource: string, scope?: string): Promise<string>;
  stop(): Promise<void>;
}

export const CALL_SCOPE = "mcp:call";

interface Signer {
  readonly key: JWK;
  readonly answer: RequestListener;
}

async function signerOf(address: string, kid: string, clients: readonly IssuerClient[]): Promise<Signer> {
  const { privateKey } = await generateKeyPair("RS256", { extractable: true });
  const key = {
    ...(await exportJWK(privateKey)),
    kty: "RSA" as const,
    kid,
    alg: "RS256",
    use: "sig" as const,
  };
  const provider = new Provider(address, {
    clients: clients.map(({ clientId, clientSecret }) => ({
      client_id: clientId,
      client_secret: clientSecret,
      grant_types: ["client_credentials"],
      redirect_uris: [],
      response_types: [],
    })),
    jwks: { keys: [key] },
    scopes: [CALL_SCOPE],
    ttl: { ClientCredentials: 600 },
    extraTokenClaims: (_context, { clientId }) =>
      clients.find((client) => client.clientId === clientId)?.claims,
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: CALL_SCOPE,
          audience: resource,
          accessTokenFormat: "jwt",
          accessTokenTTL: 600,
          jwt: { sign: { alg: "RS256" } },
        }),
      },
    },
  });
  const answer = provider.callback();
  return { key, answer: (request, response) => void answer(request, response) };
}

export async function startOAuthIssuer(clients: readonly IssuerClient[]): Promise<OAuthIssuer> {
  let isDown = false;
  const requests = new Map<string, number>();
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  // Both now: a provider tells on the console, once it is made, that it keeps nothing.
  const first = await signerOf(address, "key-1", clients);
  const second = await signerOf(address, "key-2", clients);
  let signer = first;
  server.on("request", (request, response) => {
    const path = request.url ?? "/";
    requests.set(path, (requests.get(path) ?? 0) + 1);
    if (isDown) response.writeHead(500).end();
    else signer.answer(request, response);
  });
  return {
    address,
    requests,
    signingKey: () => signer.key,
    rotateKey: () => {
      signer = second;
    },
    setDown: (value) => {
      isDown = value;
    },
    token: async ({ clientId, clientSecret }, resource, scope = CALL_SCOPE) => {
      const response = await fetch(`${address}/token`, {
        method: "POST",
        headers: { authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString("base64")}` },
        body: new URLSearchParams({ grant_type: "client_credentials", resource, scope }),
      });
      const body = (await response.json()) as { readonly access_token?: string };
      if (body.access_token === undefined) throw new Error(`No token: ${JSON.stringify(body)}`);
      return body.access_token;
    },
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
