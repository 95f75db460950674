/** Exit codes of every `bedplate` verb. When several hold, the first in this order wins: 2, 1, 4, 3, 0. */
export const EXIT_CODE = {
  asWanted: 0,
  failed: 1,
  badInput: 2,
  drift: 3,
  rebootNeeded: 4,
} as const;

export type ExitCode = (typeof EXIT_CODE)[keyof typeof EXIT_CODE];
