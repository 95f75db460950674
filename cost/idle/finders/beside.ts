import type { ChargedResource } from "../charges.ts";

type Place = Pick<ChargedResource, "account" | "region">;

/** Those of the same account and region. */
export function besideOf<T extends Place>({ account, region }: Place, others: readonly T[]): readonly T[] {
  return others.filter((other) => other.account === account && other.region === region);
}

export function whereOf({ account, region }: Place): string {
  return `account ${account ?? "?"}, region ${region ?? "?"}`;
}
