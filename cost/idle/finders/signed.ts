import type { Finder } from "../finder.ts";
import { findingOf } from "../finding.ts";
import type { FindingKind } from "../idle-report.ts";
import type { Sign } from "../sign.ts";

interface SignedKind {
  readonly kind: FindingKind;
  /** What it is charged for existing. */
  readonly being: Sign;
  /** What it is charged for being used; undefined where the charge itself says that it is not. */
  readonly use: Sign | undefined;
  readonly unusedBecause: string;
  readonly action: string;
  readonly source: string;
}

/** Finds what the bill itself says is not used: charged for being there in the month, and for no use. */
export function signedFinder({ kind, being, use, unusedBecause, action, source }: SignedKind): Finder {
  const evidence = [
    unusedBecause,
    ...(use === undefined ? [] : ["health checks and free use cost nothing, so a bill cannot show them"]),
  ];
  return {
    source,
    roles: [{ name: kind, being, ...(use === undefined ? {} : { use }) }],
    find: ({ present, ownedBy }) =>
      present
        .filter(({ role, use_periods: periods }) => role === kind && periods === 0)
        .map((resource) =>
          findingOf(
            kind,
            resource,
            {
              confidence: use === undefined ? "high" : "medium",
              evidence,
              unusedSince: resource.last_use,
            },
            action,
            ownedBy,
          ),
        ),
  };
}
