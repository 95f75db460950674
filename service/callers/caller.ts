import type { AuthInfo } from "@modelcontextprotocol/server";
import type { JWTPayload } from "jose";

/** Who a call is counted for, and limited as. */
export interface Caller {
  readonly tenant: string;
  readonly team: string;
}

export interface CallerClaims {
  readonly tenantClaim: string;
  /** @default - no call has a team */
  readonly teamClaim?: string | undefined;
}

/** Of calls without authorization, and of tokens without the claim. */
export const NOBODY = "none";

/** Of callers beyond the number that have a label of their own, and of claims that are no name. */
export const OTHERS = "other";

/** A longer name is none that a person reads in a report. Our choice. */
const LONGEST_NAME = 128;

export const UNKNOWN_CALLER: Caller = { tenant: NOBODY, team: NOBODY };

/** A claim becomes a label's value: text without control characters, and neither of the names that stand for several. */
function nameOf(claim: unknown): string {
  if (claim === undefined || claim === null) return NOBODY;
  if (typeof claim !== "string" && typeof claim !== "number") return OTHERS;
  const name = String(claim).trim();
  const isName = name !== "" && name.length <= LONGEST_NAME && !/\p{C}/u.test(name) && name !== NOBODY;
  return isName ? name : OTHERS;
}

/** Who a verified token is of. */
export function callerOf(claims: JWTPayload, { tenantClaim, teamClaim }: CallerClaims): Caller {
  return {
    tenant: nameOf(claims[tenantClaim]),
    team: teamClaim === undefined ? NOBODY : nameOf(claims[teamClaim]),
  };
}

/** Where a verified token's caller is kept for the handlers of its request. */
export function withCaller(authInfo: AuthInfo, caller: Caller): AuthInfo {
  return { ...authInfo, extra: { caller } };
}

export function callerIn(authInfo: AuthInfo | undefined): Caller {
  return (authInfo?.extra?.["caller"] as Caller | undefined) ?? UNKNOWN_CALLER;
}
