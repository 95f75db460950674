import { InputError } from "../../../host-tuning/errors.ts";
import { withBillDatabase } from "../bill-database.ts";
import { billDigest, withBill } from "../bill-file.ts";
import { buildCostReport, type CostReportArgs } from "../build-cost-report.ts";
import type { CostReport } from "../cost-report.ts";
import { openBill } from "../read-bill.ts";
import { readOwnerNames } from "./read-owner-names.ts";
import { readPayers } from "./read-payers.ts";
import type { FocusParts } from "./render-focus.ts";

/** @throws {InputError} when the bill is another one by now */
function refuseOther(sha256: string, { source }: CostReport, input: string): void {
  if (sha256 === source.sha256) return;
  throw new InputError(input, [
    { path: "", message: "changed while it was read: give it once it is written" },
  ]);
}

/**
 * What a FOCUS dataset says of a bill beyond its report.
 *
 * @throws {InputError} when the bill does not say who is billed
 */
export async function readFocusParts(args: CostReportArgs, report: CostReport): Promise<FocusParts> {
  const { payers, hasContracted, ownerNames, sha256 } = await withBill(args.input, (bill) =>
    withBillDatabase(bill, { threads: args.threads }, async (database) => {
      const opened = await openBill(database, bill, []);
      return {
        ...(await readPayers(database, bill, opened)),
        ownerNames: await readOwnerNames(database, opened, report.by),
        sha256: billDigest(bill),
      };
    }),
  );
  refuseOther(sha256, report, args.input);
  if (!hasContracted) return { payers, ownerNames, contracted: undefined };
  const contracted = await buildCostReport({ ...args, listColumn: "ContractedCost" });
  refuseOther(contracted.source.sha256, report, args.input);
  return { payers, ownerNames, contracted };
}
