import { type Fault, InputError } from "../../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../../host-tuning/exit-code.ts";
import { writeOut } from "../../host-tuning/verbs/output-options.ts";
import type { OwnersFile } from "../owners/owners-file.ts";
import { type ContractFile, readContractFile } from "../read-contract-file.ts";
import { type BillOptions, readMonthByOwner, readOwnerFiles } from "../report/run-report.ts";
import { buildJournal, digestOf, journalFaults } from "./build-journal.ts";
import { type Journal, journalSchema } from "./journal.ts";
import { renderJournalCsv, renderJournalTable } from "./render-journal.ts";

export interface JournalOptions extends BillOptions {
  readonly owners: string;
  readonly cost: "effective" | "billed";
  readonly previous?: string;
  readonly format: "table" | "json" | "csv";
  readonly out?: string;
}

const RENDERERS: Readonly<Record<JournalOptions["format"], (journal: Journal) => string>> = {
  table: renderJournalTable,
  json: (journal) => `${JSON.stringify(journal, null, 2)}\n`,
  csv: renderJournalCsv,
};

function checkedLedger({ name, data }: ContractFile<OwnersFile>): NonNullable<OwnersFile["ledger"]> {
  if (data.ledger !== undefined) return data.ledger;
  const message =
    "is missing: a journal needs its accounts (expenseAccount, payableAccount, centralCostCenter)";
  throw new InputError(name, [{ path: "ledger", message }]);
}

/** @throws {InputError} when it is no journal of this month and kind of cost, or was changed after it was written */
async function readPrevious(file: string, month: string, cost: string): Promise<Journal> {
  const { data: previous } = await readContractFile(journalSchema, file, "--previous");
  const { digest, ...said } = previous;
  const faults: Fault[] = [];
  if (digestOf(said) !== digest) {
    faults.push({ path: "digest", message: "the journal was changed after it was written" });
  }
  if (previous.month !== month) {
    faults.push({ path: "month", message: `is ${previous.month}, and the bill's is ${month}` });
  }
  if (previous.cost !== cost) {
    faults.push({ path: "cost", message: `is ${previous.cost}, and --cost says ${cost}` });
  }
  if (faults.length > 0) throw new InputError(file, faults);
  return previous;
}

/** `bedplate cost journal`: 0, and 1 without a journal when it would not be the bill. */
export async function runJournal(options: JournalOptions): Promise<ExitCode> {
  const files = await readOwnerFiles(options);
  const { owners } = files;
  if (owners === undefined) throw new RangeError("--owners is a required option");
  const ledger = checkedLedger(owners);
  const { report, month } = await readMonthByOwner(options, "cost-center", files);
  const previous =
    options.previous === undefined ? undefined : await readPrevious(options.previous, month, options.cost);
  const journal = buildJournal({ report, month, cost: options.cost, owners, ledger, previous });
  const faults = journalFaults(journal);
  if (faults.length > 0) {
    process.stderr.write(
      `bedplate: no journal was written:\n${faults.map((fault) => `  ${fault}\n`).join("")}`,
    );
    return EXIT_CODE.failed;
  }
  await writeOut(RENDERERS[options.format](journal), options.out);
  return EXIT_CODE.asWanted;
}
