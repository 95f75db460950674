/** What is asked of every row of a bill. */
export interface Check {
  readonly column: string;
  /** SQL that is true for a row with this fault. */
  readonly isBad: string;
  /** What is wrong, before "in N rows". */
  readonly message: string;
}

/** Every row must have a value, and a good one. */
export function mustBe(column: string, isGood: string, message: string): Check {
  return { column, isBad: `not coalesce(${isGood}, false)`, message };
}

/** A value that is there must be a good one. */
export function mayBe(column: string, isGood: string, message: string): Check {
  return { column, isBad: `${column} is not null and not coalesce(${isGood}, false)`, message };
}
