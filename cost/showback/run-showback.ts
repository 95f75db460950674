import * as z from "zod";
import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { API_VERSION } from "../../host-tuning/profile/host-profile.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import { billingMonthsOf } from "../report/billing-months.ts";
import type { CostReport } from "../report/cost-report.ts";
import { type BillOptions, type OwnerFiles, readMonthByOwner, readOwnerFiles } from "../report/run-report.ts";
import { foldTagValue } from "../report/tag-spelling.ts";
import { buildStatements, reconcile } from "./build-statements.ts";
import { monthBefore } from "./month-before.ts";
import { renderMail } from "./render-mail.ts";
import { renderShowbackTable } from "./render-showback.ts";
import type { Showback } from "./showback.ts";
import { fileStem, type MailFile, writeMails } from "./write-mails.ts";

export interface ShowbackOptions extends BillOptions {
  readonly folder: string;
  readonly from: string;
  readonly date?: string;
  /** The bill that has the month before, where `input` has not. */
  readonly previous?: string;
  readonly format: "table" | "json";
  readonly out?: string;
}

function checkedOptions({ from, date, folder }: ShowbackOptions): {
  readonly from: string;
  readonly date: Date;
} {
  const faults: Fault[] = [];
  if (!z.email().safeParse(from).success) {
    faults.push({ path: "--from", message: `"${from}" is no address as in finance@example.com` });
  }
  if (folder.trim() === "") faults.push({ path: "--folder", message: "the name is empty" });
  const parsed = date === undefined ? new Date() : new Date(date);
  if (date !== undefined && !z.iso.datetime().safeParse(date).success) {
    faults.push({ path: "--date", message: `"${date}" is not as 2026-08-03T09:00:00Z` });
  }
  if (faults.length > 0) throw new InputError("command line", faults);
  return { from, date: parsed };
}

function notesOf(report: CostReport, withoutAddress: readonly string[]): string[] {
  return [
    ...(withoutAddress.length === 0
      ? []
      : [
          `no address of ${withoutAddress.join(", ")}: their mails have no To; give teams[].mail in the owners file`,
        ]),
    ...report.notes,
  ];
}

/**
 * The month before by the same rules: of the bill that is named for it, which must have it, or else of the bill itself
 * where it has that month too.
 */
async function readMonthBefore(
  options: ShowbackOptions,
  month: string,
  files: OwnerFiles,
): Promise<CostReport | undefined> {
  const before = monthBefore(month);
  const input = options.previous ?? options.input;
  if (options.previous === undefined && !(await billingMonthsOf(input)).includes(before)) return undefined;
  return (await readMonthByOwner({ ...options, input, month: before }, "team", files)).report;
}

/** `bedplate cost showback`: 0 when the mails are written, 1 (and none is) when they and the rest are not the bill. */
export async function runShowback(options: ShowbackOptions): Promise<ExitCode> {
  const { from, date } = checkedOptions(options);
  const files = await readOwnerFiles(options);
  const { report, month } = await readMonthByOwner(options, "team", files);
  const before = await readMonthBefore(options, month, files);
  const statements = buildStatements(report, before === undefined ? undefined : { report: before, month });
  const faults = reconcile(report, statements);
  if (faults.length > 0) {
    process.stderr.write(`bedplate: no mail was written:\n${faults.map((fault) => `  ${fault}\n`).join("")}`);
    return EXIT_CODE.failed;
  }
  const addresses = new Map(files.owners?.data.teams.map(({ team, mail }) => [foldTagValue(team), mail]));
  const taken = new Set<string>();
  const mails: (MailFile & { readonly team: string; readonly to: string | undefined })[] = [];
  for (const statement of statements) {
    const { team } = statement;
    const stem = fileStem(month, team, taken);
    taken.add(stem);
    const to = addresses.get(foldTagValue(team));
    const content = await renderMail({ report, statement, month, from, to, date }, `${stem}.csv`);
    mails.push({ team, to, name: `${stem}.eml`, content });
  }
  const digests = await writeMails(options.folder, mails);
  const showback: Showback = {
    apiVersion: API_VERSION,
    kind: "Showback",
    month,
    source: { name: report.source.name, sha256: report.source.sha256 },
    owners: report.owners,
    allocation: report.allocation,
    folder: options.folder,
    mails: mails.map(({ team, to, name }, index) => ({
      team,
      to: to ?? null,
      file: name,
      sha256: digests[index] ?? "",
      amounts: (statements[index]?.currencies ?? []).map(({ currency, row, monthBefore }) => ({
        currency,
        billed: row.billed,
        effective: row.effective,
        list: row.list,
        billedRounded: row.billedRounded,
        effectiveRounded: row.effectiveRounded,
        listRounded: row.listRounded,
        monthBefore:
          monthBefore === null
            ? null
            : {
                month: monthBefore.month,
                effectiveRounded: monthBefore.effective,
                changeRounded: monthBefore.change,
              },
      })),
    })),
    currencies: report.currencies.map(({ currency, balance }) => ({ currency, balance })),
    notes: notesOf(
      report,
      mails.filter(({ to }) => to === undefined).map(({ team }) => team),
    ),
  };
  const text =
    options.format === "json" ? `${JSON.stringify(showback, null, 2)}\n` : renderShowbackTable(showback);
  await writeOut(text, options.out);
  return EXIT_CODE.asWanted;
}
