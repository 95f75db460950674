/**
 * An independent reading of a FOCUS CSV file, for the test of the report: character by character, amounts as BigInt. It
 * shares no code with the report and knows nothing of tags or buckets.
 */

/** Digits after the point that every amount is held in. */
const SCALE = 60;

export interface CurrencySum {
  lines: number;
  billed: bigint;
  effective: bigint;
}

function isBlank(record: readonly string[]): boolean {
  return record.length === 1 && record[0] === "";
}

/** Records of a CSV text. Lenient: what is no RFC 4180 is taken as it stands, so that nothing is refused here. */
export function readRecords(text: string): string[][] {
  const records: string[][] = [];
  let record: string[] = [];
  let field = "";
  let isQuoted = false;
  let wasQuoted = false;
  const endField = (): void => {
    record.push(wasQuoted ? field : field.trim());
    field = "";
    wasQuoted = false;
  };
  const endRecord = (): void => {
    endField();
    if (!isBlank(record)) records.push(record);
    record = [];
  };
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isQuoted) {
      if (character !== '"') field += character;
      else if (text[index + 1] === '"') {
        field += '"';
        index += 1;
      } else isQuoted = false;
    } else if (character === '"' && field.trim() === "") {
      [isQuoted, wasQuoted, field] = [true, true, ""];
    } else if (character === ",") endField();
    else if (character === "\n" || character === "\r") {
      if (character === "\r" && text[index + 1] === "\n") index += 1;
      endRecord();
    } else if (!wasQuoted || character !== " ") field += character;
  }
  if (field !== "" || record.length > 0) endRecord();
  return records;
}

/** An amount in units of 10^-60, or undefined when the text is none. */
export function unitsOf(text: string): bigint | undefined {
  const match = /^\s*(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d{1,3}))?\s*$/.exec(text);
  if (match === null) return undefined;
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const shift = SCALE - fraction.length + Number(exponent);
  if (shift < 0 || shift > 120) return undefined;
  return BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(shift);
}

/** Sums by currency, or undefined where the text has no such columns or an amount that is none. */
export function sumFocusCsv(text: string): Map<string, CurrencySum> | undefined {
  const [header, ...rows] = readRecords(text.replace(/^\uFEFF/, ""));
  const names = (header ?? []).map((name) => name.toLowerCase());
  const [billedAt, effectiveAt, currencyAt] = ["billedcost", "effectivecost", "billingcurrency"].map((name) =>
    names.indexOf(name),
  );
  const sums = new Map<string, CurrencySum>();
  for (const row of rows) {
    const billed = unitsOf(row[billedAt ?? -1] ?? "");
    const effective = unitsOf(row[effectiveAt ?? -1] ?? "");
    const currency = row[currencyAt ?? -1]?.trim();
    if (billed === undefined || effective === undefined || currency === undefined) return undefined;
    const sum = sums.get(currency) ?? { lines: 0, billed: 0n, effective: 0n };
    sum.lines += 1;
    sum.billed += billed;
    sum.effective += effective;
    sums.set(currency, sum);
  }
  return sums;
}
