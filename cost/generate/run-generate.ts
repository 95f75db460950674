import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { checkedMonth } from "../report/run-report.ts";
import { generateMonth } from "./generate-month.ts";
import type { MonthFormat, MonthKind } from "./month-kinds.ts";

export interface GenerateOptions {
  readonly rows: string;
  readonly seed: string;
  readonly kind: MonthKind;
  readonly format: MonthFormat;
  readonly month: string;
  readonly deliveries: "1" | "2";
  readonly idle?: boolean;
  readonly out: string;
}

/** How long nothing is said before the lines that are written are counted on stderr. */
const QUIET_MILLIS = 2000;

function wholeNumber(path: string, text: string, most: number, faults: Fault[]): number {
  const number = Number(text);
  if (/^\d+$/.test(text) && number <= most) return number;
  faults.push({ path, message: `"${text}" is no whole number up to ${most}` });
  return 0;
}

/** `bedplate cost generate`: a bill whose report is known. */
export async function runGenerate(options: GenerateOptions): Promise<ExitCode> {
  const faults: Fault[] = [];
  const rows = wholeNumber("--rows", options.rows, 1_000_000_000, faults);
  const seed = wholeNumber("--seed", options.seed, 1_000_000, faults);
  if (faults.length > 0) throw new InputError("command line", faults);
  const startedAt = Date.now();
  let isTold = false;
  const answer = await generateMonth({
    kind: options.kind,
    format: options.format,
    rows,
    seed,
    month: checkedMonth(options.month) ?? options.month,
    deliveries: options.deliveries === "2" ? 2 : 1,
    out: options.out,
    isIdleKnown: options.idle === true,
    onProgress: (written) => {
      if (Date.now() - startedAt < QUIET_MILLIS) return;
      isTold = true;
      process.stderr.write(`\r${written} of ${rows} lines written`);
    },
  });
  if (isTold) process.stderr.write("\n");
  process.stdout.write(
    `${options.out}: ${answer.lines} lines of ${options.kind} for ${answer.month}, ` +
      `${answer.invoice.currency} ${answer.invoice.billed}; answer.json has what a report must say\n`,
  );
  return EXIT_CODE.asWanted;
}
