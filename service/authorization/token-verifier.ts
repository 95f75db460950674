import { hash } from "node:crypto";
import { type AuthInfo, OAuthError, OAuthErrorCode } from "@modelcontextprotocol/server";
import { type JWTPayload, type JWTVerifyGetKey, errors, jwtVerify } from "jose";
import { type Caller, type CallerClaims, callerOf, withCaller } from "../callers/caller.ts";

/** How far the issuer's clock may be from ours; RFC 7519 says a few minutes at most. Our choice. */
export const CLOCK_SKEW_SECONDS = 30;

/** Public-key signatures only: with a shared secret whoever checks tokens could make them. RFC 7518, RFC 8037. */
const ALGORITHMS = "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA Ed25519".split(" ");

/** A token that was checked is taken as it is for so long, and never beyond its end. Our choice. */
const TRUST_SECONDS = 300;

/** Tokens that are remembered, by digest: some megabytes. Our choice. */
const MAX_TOKENS = 10_000;

export interface TokenRules {
  readonly issuer: string;
  /** The service's own URL: what a token's audience has to name (RFC 8707). */
  readonly resource: URL;
  /** The header's `typ`; `at+jwt` by RFC 9068, which not every issuer keeps to. */
  readonly tokenType: "at+jwt" | "JWT";
}

interface CheckedToken {
  readonly clientId: string;
  readonly scopes: string[];
  readonly expiresAt: number;
  readonly caller: Caller;
  readonly trustedUntilMillis: number;
}

/** `scope` by RFC 9068; `scp` is what Entra ID and Okta have. */
function scopesOf({ scope, scp }: JWTPayload): string[] {
  return [scope, scp]
    .flat()
    .filter((value): value is string => typeof value === "string")
    .flatMap((value) => value.split(" "))
    .filter((value) => value !== "");
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === "string" ? claim : undefined;
}

/** Access tokens by RFC 9068, checked as its section 4 says. */
export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #claims: CallerClaims;
  readonly #keys: JWTVerifyGetKey;
  readonly #checked = new Map<string, CheckedToken>();

  constructor(rules: TokenRules, claims: CallerClaims, keys: JWTVerifyGetKey) {
    this.#rules = rules;
    this.#claims = claims;
    this.#keys = keys;
  }

  /**
   * @throws {OAuthError} invalid_token, with what is wrong with it
   * @throws {IssuerUnreachableError} when it cannot be told
   */
  async verifyAccessToken(token: string): Promise<AuthInfo> {
    const digest = hash("sha256", token, "base64url");
    const known = this.#checked.get(digest);
    const checked =
      known !== undefined && Date.now() < known.trustedUntilMillis
        ? known
        : this.#remember(digest, await this.#check(token));
    const { clientId, scopes, expiresAt, caller } = checked;
    return withCaller({ token, clientId, scopes, expiresAt, resource: this.#rules.resource }, caller);
  }

  async #check(token: string): Promise<CheckedToken> {
    const { issuer, resource, tokenType } = this.#rules;
    try {
      const { payload } = await jwtVerify(token, this.#keys, {
        issuer,
        audience: resource.href,
        typ: tokenType,
        algorithms: ALGORITHMS,
        clockTolerance: CLOCK_SKEW_SECONDS,
        requiredClaims: ["exp"],
      });
      const expiresAt = (payload.exp ?? 0) + CLOCK_SKEW_SECONDS;
      return {
        clientId: textOf(payload["client_id"]) ?? textOf(payload["azp"]) ?? payload.sub ?? "",
        scopes: scopesOf(payload),
        expiresAt,
        caller: callerOf(payload, this.#claims),
        trustedUntilMillis: Math.min(expiresAt * 1000, Date.now() + TRUST_SECONDS * 1000),
      };
    } catch (error) {
      if (error instanceof errors.JOSEError)
        throw new OAuthError(OAuthErrorCode.InvalidToken, explain(error));
      throw error;
    }
  }

  #remember(digest: string, checked: CheckedToken): CheckedToken {
    this.#checked.delete(digest);
    this.#checked.set(digest, checked);
    if (this.#checked.size > MAX_TOKENS) {
      for (const oldest of this.#checked.keys()) {
        this.#checked.delete(oldest);
        break;
      }
    }
    return checked;
  }
}

/** What the caller can put right; a signature or a key says nothing more, as that would help a forger alone. */
function explain(error: errors.JOSEError): string {
  if (error instanceof errors.JWTExpired) return "Token has expired";
  if (error instanceof errors.JWTClaimValidationFailed) return `Token's ${error.claim} is not as required`;
  if (error instanceof errors.JOSEAlgNotAllowed) return "Token is signed by an algorithm that is not allowed";
  return "Token is not valid";
}
