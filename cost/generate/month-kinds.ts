/** What bills can be generated. */
export const MONTH_KINDS = ["cur2", "legacy", "focus-1.0", "focus-1.1", "focus-1.2", "focus-1.3"] as const;
export type MonthKind = (typeof MONTH_KINDS)[number];

export const MONTH_FORMATS = ["parquet", "csv", "csv.gz"] as const;
export type MonthFormat = (typeof MONTH_FORMATS)[number];
