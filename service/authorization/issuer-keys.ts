import { discoverAuthorizationServerMetadata } from "@modelcontextprotocol/client";
import { type JWTVerifyGetKey, createRemoteJWKSet, errors } from "jose";

/** For the issuer to answer. A request waits for it only where its key is not known yet. */
const ISSUER_TIMEOUT_MILLIS = 5000;

/** After the issuer did not answer, requests are told so at once for this long, and it is left in peace. */
const ISSUER_REST_MILLIS = 5000;

/** The keys of the issuer cannot be had: no fault of the token. */
export class IssuerUnreachableError extends Error {
  override readonly name = "IssuerUnreachableError";
}

/** jose's answers about a token; everything else that a search for a key ends with is about the issuer. */
const TOKEN_FAULTS = [
  errors.JWKSNoMatchingKey,
  errors.JWKSMultipleMatchingKeys,
  errors.JOSENotSupported,
  errors.JWSInvalid,
];

/** Plain HTTP to this machine alone, as in tests: whoever changes keys on their way signs tokens. */
export function isSafeIssuerUrl({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname))
  );
}

async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  // RFC 8414, then OpenID Connect Discovery; a document of another issuer is refused.
  const metadata = await discoverAuthorizationServerMetadata(issuer, {
    fetchFn: async (url, init) =>
      await fetch(url, { ...init, signal: AbortSignal.timeout(ISSUER_TIMEOUT_MILLIS) }),
  });
  const address = metadata?.jwks_uri;
  if (typeof address !== "string") throw new Error(`${issuer} names no jwks_uri`);
  const url = new URL(address);
  if (!isSafeIssuerUrl(url)) throw new Error(`${issuer} has its keys at ${address}, which is not https`);
  return createRemoteJWKSet(url, { timeoutDuration: ISSUER_TIMEOUT_MILLIS });
}

/**
 * The issuer's public keys, found by its metadata at the first token and kept. A key that is not among them is asked for
 * again, at most every 30 s, and all are every 10 minutes (jose's defaults), so keys may be rotated at any time.
 *
 * @throws {IssuerUnreachableError} when the issuer does not answer
 */
export function createIssuerKeys(issuer: string): JWTVerifyGetKey {
  let keys: Promise<JWTVerifyGetKey> | undefined;
  let restUntilMillis = 0;
  let lastFailure: unknown;
  return async (header, token) => {
    try {
      if (keys === undefined && performance.now() < restUntilMillis) throw lastFailure;
      keys ??= discoverKeys(issuer);
      const find = await keys.catch((error: unknown) => {
        keys = undefined;
        restUntilMillis = performance.now() + ISSUER_REST_MILLIS;
        lastFailure = error;
        throw error;
      });
      return await find(header, token);
    } catch (error) {
      if (TOKEN_FAULTS.some((fault) => error instanceof fault)) throw error;
      throw new IssuerUnreachableError(`The keys of ${issuer} cannot be read`, { cause: error });
    }
  };
}
