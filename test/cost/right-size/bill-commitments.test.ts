import { describe, expect, it } from "vitest";
import { environmentSchema } from "../../../components/environment/environment-spec.ts";
import { readBillCommitments } from "../../../cost/right-size/read-bill-commitments.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();
const PROD = environmentSchema.parse({
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "prod",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-gateway" },
  hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "10.00" },
});

const HEADER =
  "BilledCost,EffectiveCost,ListCost,BillingCurrency,BillingPeriodStart,BillingPeriodEnd,ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ServiceName,ResourceId,CommitmentDiscountId,CommitmentDiscountStatus,Tags";

/** One hour of an instance; `day` from 1 to 30. */
function line(
  day: number,
  effective: string,
  list: string,
  commitment: string,
  environment: string,
  id = "i-0a1b",
): string {
  const date = `2026-06-${String(day).padStart(2, "0")}`;
  const status = commitment === "" ? "" : "Used";
  const tags = `"{""user:Environment"": ""${environment}""}"`;
  return `0,${effective},${list},USD,2026-06-01T00:00:00Z,2026-07-01T00:00:00Z,${date}T00:00:00Z,${date}T01:00:00Z,Usage,Amazon Elastic Compute Cloud,${id},${commitment},${status},${tags}`;
}

const PLAN = "arn:aws:savingsplans::123456789012:savingsplan/aaa";

describe("readBillCommitments()", () => {
  it("takes what covered the environment's hosts, at its worth an hour of the month", async () => {
    // The first line starts on the 1st at 0:00, the last ends on the 2nd at 1:00: 25 hours.
    const bill = write(
      "bill.csv",
      `${[
        HEADER,
        line(1, "3.00", "4.00", PLAN, "prod"),
        line(2, "4.50", "6.00", PLAN, " Prod"),
        line(2, "9.00", "9.00", "", "prod"),
        line(2, "50.00", "80.00", PLAN, "staging"),
        line(2, "50.00", "80.00", PLAN, "prod", "vol-0a1b"),
      ].join("\n")}\n`,
    );
    const { savingsPlans, reservations } = await readBillCommitments(bill, undefined, PROD);
    expect(reservations).toEqual([]);
    // 7.50 paid of 10.00 on demand in 25 hours.
    expect(savingsPlans).toEqual([{ type: "compute", commitmentPerHour: "0.3", discountPercent: 25 }]);
  });

  it("fails where covered lines have no list cost, and on another month", async () => {
    const bill = write("unlisted.csv", `${HEADER}\n${line(1, "3.00", "", PLAN, "prod")}\n`);
    await expect(readBillCommitments(bill, undefined, PROD)).rejects.toThrow(
      /ListCost: 1 lines that .* covers/,
    );
    await expect(readBillCommitments(bill, "2026-05", PROD)).rejects.toThrow(InputError);
  });
});
