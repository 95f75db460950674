import type { Bucket, Reason } from "../../../cost/report/cost-report.ts";

/** Digits after the point of every generated amount; more than a cent, a float or DECIMAL(38,12) would keep. */
export const GENERATED_SCALE = 15;

export const FOCUS_COLUMNS = [
  "BilledCost",
  "BillingAccountId",
  "BillingCurrency",
  "BillingPeriodEnd",
  "BillingPeriodStart",
  "CapacityReservationId",
  "CapacityReservationStatus",
  "ChargeCategory",
  "ChargeClass",
  "ChargeDescription",
  "ChargePeriodEnd",
  "ChargePeriodStart",
  "CommitmentDiscountId",
  "CommitmentDiscountStatus",
  "EffectiveCost",
  "InvoiceId",
  "ListCost",
  "ProviderName",
  "RegionId",
  "ResourceId",
  "ServiceName",
  "SubAccountId",
  "Tags",
  "x_Operation",
] as const;

export type FocusRow = Readonly<Record<(typeof FOCUS_COLUMNS)[number], string>>;

/** What the report must say of one bucket, owner and reason, known because the rows were made so. */
export interface Answer {
  currency: string;
  bucket: Bucket;
  owner: string | null;
  because: Reason | null;
  lines: number;
  /** In units of 10^-15. */
  billed: bigint;
  effective: bigint;
}

export interface GeneratedMonth {
  readonly rows: readonly FocusRow[];
  readonly answers: readonly Answer[];
}

/** A small deterministic generator (mulberry32): the same seed gives the same month on every machine. */
export function seededRandom(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296) * below);
  };
}

/** Units of 10^-15 as a bill writes them: plain with all digits, or in E notation where that is short. */
export function amountText(units: bigint, style: "plain" | "exponent"): string {
  const sign = units < 0n ? "-" : "";
  const digits = (units < 0n ? -units : units).toString();
  if (style === "exponent") return `${sign}${digits}E-${GENERATED_SCALE}`;
  const padded = digits.padStart(GENERATED_SCALE + 1, "0");
  return `${sign}${padded.slice(0, -GENERATED_SCALE)}.${padded.slice(-GENERATED_SCALE)}`;
}

interface Kind {
  readonly weight: number;
  readonly row: Partial<FocusRow>;
  readonly bucket: Bucket;
  readonly owner?: string;
  readonly because?: Reason;
  readonly isNegative?: true;
}

const PAYMENTS = { bucket: "owner", owner: "payments" } as const;
const SEARCH = { bucket: "owner", owner: 'Search & Ads, "EU"' } as const;

/** Every way a line can come, with where it must end. */
const KINDS: readonly Kind[] = [
  { weight: 30, row: { Tags: '{"team": "payments"}' }, ...PAYMENTS },
  { weight: 8, row: { Tags: '{"user:team": "payments", "stage": "x"}' }, ...PAYMENTS },
  { weight: 8, row: { Tags: '{"user_team": " Payments "}' }, ...PAYMENTS },
  { weight: 8, row: { Tags: '{"resourceTags/team": "PAYMENTS"}' }, ...PAYMENTS },
  { weight: 20, row: { Tags: JSON.stringify({ Team: SEARCH.owner }) }, ...SEARCH },
  {
    weight: 5,
    row: { Tags: '{" team": "platform"}' },
    bucket: "shared",
    owner: "platform",
    because: "shared-owner",
  },
  // The exact spelling wins over another one, and an empty value yields to a full one.
  { weight: 3, row: { Tags: '{"Team": "payments", "team": "lab"}' }, bucket: "owner", owner: "lab" },
  { weight: 3, row: { Tags: '{"Team": "lab", "team": ""}' }, bucket: "owner", owner: "lab" },
  { weight: 10, row: { Tags: '{"stage": "prod"}' }, bucket: "untagged", because: "key-absent" },
  { weight: 4, row: { Tags: '{"team": "  "}' }, bucket: "untagged", because: "empty-value" },
  { weight: 4, row: { Tags: '{"team": null}' }, bucket: "untagged", because: "empty-value" },
  { weight: 4, row: { Tags: "NULL" }, bucket: "untagged", because: "no-tags" },
  { weight: 4, row: { Tags: "" }, bucket: "untagged", because: "no-tags" },
  { weight: 4, row: { Tags: "{}" }, bucket: "untagged", because: "no-tags" },
  { weight: 3, row: { ResourceId: "NULL" }, bucket: "untagged", because: "not-taggable" },
  { weight: 2, row: { ChargeCategory: "Adjustment" }, bucket: "untagged", because: "not-taggable" },
  { weight: 2, row: { ChargeCategory: "Tax", ResourceId: "" }, bucket: "tax-and-credit", because: "tax" },
  {
    weight: 3,
    row: { ChargeCategory: "Credit", ResourceId: "NULL" },
    bucket: "tax-and-credit",
    because: "credit",
    isNegative: true,
  },
  {
    weight: 2,
    row: { ChargeCategory: "Credit", Tags: '{"team":"payments"}' },
    ...PAYMENTS,
    isNegative: true,
  },
  {
    weight: 3,
    row: { CommitmentDiscountId: "sp-1", CommitmentDiscountStatus: "Used", Tags: '{"team":"payments"}' },
    ...PAYMENTS,
  },
  {
    weight: 3,
    row: { CommitmentDiscountId: "sp-1", CommitmentDiscountStatus: "Unused" },
    bucket: "unused-commitment",
    because: "unused-commitment",
  },
  {
    weight: 2,
    row: { ChargeCategory: "Purchase", CommitmentDiscountId: "sp-1", ResourceId: "sp-1" },
    bucket: "shared",
    because: "commitment-purchase",
  },
  {
    weight: 2,
    row: { CapacityReservationId: "cr-1", CapacityReservationStatus: "Unused", Tags: '{"team":"payments"}' },
    bucket: "idle",
    because: "unused-reservation",
  },
  {
    weight: 2,
    row: { ServiceName: "AWS Support (Business)", ResourceId: "" },
    bucket: "shared",
    because: "support",
  },
];

const DEFAULTS: FocusRow = {
  BilledCost: "0",
  BillingAccountId: "1234567890123",
  BillingCurrency: "USD",
  BillingPeriodEnd: "2026-08-01 00:00:00",
  BillingPeriodStart: "2026-07-01 00:00:00",
  CapacityReservationId: "NULL",
  CapacityReservationStatus: "NULL",
  ChargeCategory: "Usage",
  ChargeClass: "NULL",
  ChargeDescription: "$0.085 per On Demand Linux c5.large Instance Hour, or part of it",
  ChargePeriodEnd: "2026-07-02T00:00:00Z",
  ChargePeriodStart: "2026-07-01T00:00:00Z",
  CommitmentDiscountId: "",
  CommitmentDiscountStatus: "NULL",
  EffectiveCost: "0",
  InvoiceId: "INV-1",
  ListCost: "1.5",
  ProviderName: "AWS",
  RegionId: "us-east-1",
  ResourceId: "arn:aws:ec2:us-east-1:1:instance/i-1",
  ServiceName: "Amazon Elastic Compute Cloud",
  SubAccountId: "111122223333",
  Tags: "NULL",
  x_Operation: "RunInstances",
};

/** A row of usage of 2026-07, with what is said of it. */
export function focusRow(row: Partial<FocusRow>): FocusRow {
  return { ...DEFAULTS, ...row };
}

function pickKind(random: (below: number) => number): Kind {
  const total = KINDS.reduce((sum, kind) => sum + kind.weight, 0);
  let left = random(total);
  for (const kind of KINDS) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw new RangeError("the weights do not add up");
}

function randomUnits(random: (below: number) => number): bigint {
  const digits = 1 + random(19);
  return BigInt(Array.from({ length: digits }, () => random(10)).join(""));
}

/** A month of `size` lines; the first has every kind once, so that no answer is ever missing. */
export function generateMonth(seed: number, size: number): GeneratedMonth {
  const random = seededRandom(seed);
  const answers = new Map<string, Answer>();
  const rows = Array.from({ length: size }, (_, index): FocusRow => {
    const kind = KINDS[index] ?? pickKind(random);
    const sign = kind.isNegative === true ? -1n : 1n;
    const [billed, effective] = [sign * randomUnits(random), sign * randomUnits(random)];
    const currency = random(12) === 0 ? "EUR" : "USD";
    const because = kind.because ?? null;
    const owner = kind.owner ?? null;
    const key = JSON.stringify([currency, kind.bucket, owner, because]);
    const answer = answers.get(key) ?? {
      currency,
      bucket: kind.bucket,
      owner,
      because,
      lines: 0,
      billed: 0n,
      effective: 0n,
    };
    answer.lines += 1;
    answer.billed += billed;
    answer.effective += effective;
    answers.set(key, answer);
    return {
      ...DEFAULTS,
      ...kind.row,
      BillingCurrency: currency,
      BilledCost: amountText(billed, random(5) === 0 ? "exponent" : "plain"),
      EffectiveCost: amountText(effective, random(5) === 0 ? "exponent" : "plain"),
      SubAccountId: `1111${random(4)}`,
    };
  });
  return { rows, answers: [...answers.values()] };
}

function csvField(text: string): string {
  return text === "NULL" || /^-?[\d.E-]+$/.test(text) || text === ""
    ? text
    : `"${text.replaceAll('"', '""')}"`;
}

/** Rows as a FOCUS CSV file. */
export function focusCsv(rows: readonly FocusRow[], newline = "\n"): string {
  const lines = rows.map((row) => FOCUS_COLUMNS.map((column) => csvField(row[column])).join(","));
  return [FOCUS_COLUMNS.map((column) => `"${column}"`).join(","), ...lines, ""].join(newline);
}
