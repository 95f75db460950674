import type { Bucket, Reason } from "../../../cost/report/cost-report.ts";
import { amountText, GENERATED_SCALE, seededRandom } from "./focus-month.ts";

/** A line of a generated CUR 2.0: its columns, tags as an object; what is left out is empty. */
export interface CurRow {
  readonly columns: Readonly<Record<string, string>>;
  readonly tags: Readonly<Record<string, string>>;
}

/** What the report must say of one bucket, owner and reason; amounts in units of 10^-15. */
export interface CurAnswer {
  readonly bucket: Bucket;
  readonly owner: string | null;
  readonly because: Reason | null;
  billed: bigint;
  effective: bigint;
  /** At list prices; lines that AWS gives none are not in it. */
  list: bigint;
}

export interface CurMonth {
  readonly rows: readonly CurRow[];
  readonly answers: readonly CurAnswer[];
  /** What the invoice asks for: every unblended cost, added up. */
  readonly invoice: bigint;
}

const DEFAULTS = {
  bill_billing_entity: "AWS",
  bill_billing_period_start_date: "2026-07-01 00:00:00",
  bill_billing_period_end_date: "2026-08-01 00:00:00",
  line_item_currency_code: "USD",
  line_item_product_code: "AmazonEC2",
  line_item_resource_id: "i-1",
  line_item_usage_account_id: "111122223333",
  line_item_usage_start_date: "2026-07-02 00:00:00",
  line_item_usage_end_date: "2026-07-02 01:00:00",
  product_region_code: "us-east-1",
};

const TEAMS = ["payments", "search", "lab"];
const SAVINGS_PLAN = "arn:aws:savingsplans::111122223333:savingsplan/sp-1";
const RESERVATION = "arn:aws:ec2:us-east-1:111122223333:reserved-instances/ri-1";

/** CUR writes ten digits after the point. */
const CUR_UNIT = 10n ** BigInt(GENERATED_SCALE - 10);

class Month {
  readonly #random: (below: number) => number;
  readonly rows: CurRow[] = [];
  readonly #answers = new Map<string, CurAnswer>();
  invoice = 0n;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  get answers(): readonly CurAnswer[] {
    return [...this.#answers.values()];
  }

  below(most: number): number {
    return this.#random(most);
  }

  amount(): bigint {
    return BigInt(1 + this.#random(2_000_000_000)) * CUR_UNIT * BigInt(1 + this.#random(40));
  }

  /** A team, and the tags of one of its lines as an account's tools spell them. */
  team(): { name: string; tags: Record<string, string> } {
    const name = TEAMS[this.#random(TEAMS.length)] ?? "payments";
    return { name, tags: { user_team: name, user_stage: "prod" } };
  }

  add(unblended: bigint, columns: Record<string, string>, tags: Record<string, string> = {}): void {
    this.invoice += unblended;
    const row = { ...DEFAULTS, line_item_unblended_cost: amountText(unblended, "plain"), ...columns };
    this.rows.push({ columns: row, tags });
  }

  expect(
    bucket: Bucket,
    name: { owner?: string; because?: Reason },
    money: { billed?: bigint; effective?: bigint; list?: bigint },
  ): void {
    const { owner = null, because = null } = name;
    const key = JSON.stringify([bucket, owner, because]);
    const answer = this.#answers.get(key) ?? { bucket, owner, because, billed: 0n, effective: 0n, list: 0n };
    answer.billed += money.billed ?? 0n;
    answer.effective += money.effective ?? 0n;
    answer.list += money.list ?? 0n;
    this.#answers.set(key, answer);
  }
}

type Scene = (month: Month) => void;

/** Everything that a Cost and Usage Report holds, each with where its money has to end. */
const SCENES: readonly Scene[] = [
  function onDemandUsage(month) {
    const { name, tags } = month.team();
    const cost = month.amount();
    const list = cost + month.amount();
    const columns = {
      line_item_line_item_type: "Usage",
      pricing_public_on_demand_cost: amountText(list, "plain"),
    };
    month.add(cost, columns, tags);
    month.expect("owner", { owner: name }, { billed: cost, effective: cost, list });
  },
  function untaggedUsage(month) {
    const cost = month.amount();
    month.add(cost, { line_item_line_item_type: "Usage" }, { user_stage: "prod" });
    month.expect("untagged", { because: "key-absent" }, { billed: cost, effective: cost });
  },
  function usageUnderAReservation(month) {
    const { name, tags } = month.team();
    const effective = month.amount();
    month.add(
      0n,
      {
        line_item_line_item_type: "DiscountedUsage",
        reservation_reservation_a_r_n: RESERVATION,
        reservation_effective_cost: amountText(effective, "plain"),
      },
      tags,
    );
    month.expect("owner", { owner: name }, { effective });
  },
  function feeOfAReservation(month) {
    const [fee, upfront, recurring] = [month.amount(), month.amount(), month.amount()];
    month.add(fee, {
      line_item_line_item_type: "RIFee",
      line_item_resource_id: RESERVATION,
      reservation_reservation_a_r_n: RESERVATION,
      reservation_unused_amortized_upfront_fee_for_billing_period: amountText(upfront, "plain"),
      reservation_unused_recurring_fee: amountText(recurring, "plain"),
    });
    month.expect("shared", { because: "commitment-purchase" }, { billed: fee });
    month.expect("unused-commitment", { because: "unused-commitment" }, { effective: upfront + recurring });
  },
  function reservationPaidUpFront(month) {
    const fee = month.amount();
    month.add(fee, { line_item_line_item_type: "Fee", reservation_reservation_a_r_n: RESERVATION });
    month.expect("shared", { because: "commitment-purchase" }, { billed: fee });
  },
  function usageUnderASavingsPlan(month) {
    const { name, tags } = month.team();
    const [list, effective] = [month.amount(), month.amount()];
    const plan = { savings_plan_savings_plan_a_r_n: SAVINGS_PLAN };
    month.add(
      list,
      {
        ...plan,
        line_item_line_item_type: "SavingsPlanCoveredUsage",
        savings_plan_savings_plan_effective_cost: amountText(effective, "plain"),
      },
      tags,
    );
    month.add(-list, { ...plan, line_item_line_item_type: "SavingsPlanNegation", line_item_resource_id: "" });
    month.expect("owner", { owner: name }, { effective });
    month.expect("untagged", { because: "not-taggable" }, {});
  },
  function negationThatRounds(month) {
    const { name, tags } = month.team();
    const list = month.amount();
    const plan = { savings_plan_savings_plan_a_r_n: SAVINGS_PLAN };
    month.add(
      list,
      {
        ...plan,
        line_item_line_item_type: "SavingsPlanCoveredUsage",
        savings_plan_savings_plan_effective_cost: "0.0000000001",
      },
      tags,
    );
    month.add(CUR_UNIT - list, {
      ...plan,
      line_item_line_item_type: "SavingsPlanNegation",
      line_item_resource_id: "",
    });
    month.expect("owner", { owner: name }, { effective: CUR_UNIT });
    month.expect("untagged", { because: "not-taggable" }, { billed: CUR_UNIT });
  },
  function feeOfASavingsPlan(month) {
    const [total, used] = [month.amount(), month.amount()];
    month.add(total, {
      line_item_line_item_type: "SavingsPlanRecurringFee",
      line_item_resource_id: SAVINGS_PLAN,
      savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
      savings_plan_total_commitment_to_date: amountText(total, "plain"),
      savings_plan_used_commitment: amountText(used, "plain"),
    });
    month.expect("shared", { because: "commitment-purchase" }, { billed: total });
    month.expect("unused-commitment", { because: "unused-commitment" }, { effective: total - used });
  },
  function savingsPlanPaidUpFront(month) {
    const fee = month.amount();
    month.add(fee, {
      line_item_line_item_type: "SavingsPlanUpfrontFee",
      savings_plan_savings_plan_a_r_n: SAVINGS_PLAN,
    });
    month.expect("shared", { because: "commitment-purchase" }, { billed: fee });
  },
  function capacityThatNobodyUsed(month) {
    const { tags } = month.team();
    const cost = month.amount();
    const columns = { line_item_line_item_type: "Usage", line_item_usage_type: "USE1-UnusedBox:m5.large" };
    month.add(cost, columns, tags);
    month.expect("idle", { because: "unused-reservation" }, { billed: cost, effective: cost });
  },
  function taxCreditRefundAndDiscount(month) {
    for (const [type, because, sign] of [
      ["Tax", "tax", 1n],
      ["Credit", "credit", -1n],
      ["Refund", "refund", -1n],
      ["EdpDiscount", "credit", -1n],
    ] as const) {
      const cost = sign * month.amount();
      month.add(cost, { line_item_line_item_type: type, line_item_resource_id: "" });
      month.expect("tax-and-credit", { because }, { billed: cost, effective: cost });
    }
  },
  function support(month) {
    const cost = month.amount();
    month.add(cost, {
      line_item_line_item_type: "Fee",
      line_item_product_code: "AWSSupportBusiness",
      line_item_resource_id: "",
    });
    month.expect("shared", { because: "support" }, { billed: cost, effective: cost });
  },
  function podsOfAnInstance(month) {
    const node = month.team();
    const instance = `i-${month.rows.length}`;
    const parts = [month.team(), month.team()].map((pod, index) => ({
      pod,
      usageType: `USE1-EKS-EC2-${index === 0 ? "vCPU" : "GB"}-Hours`,
      split: month.amount() / 100n,
      unused: month.amount() / 1000n,
    }));
    const moved = parts.reduce((sum, { split, unused }) => sum + split + unused, 0n);
    const cost = moved + month.amount();
    month.add(
      cost,
      {
        line_item_line_item_type: "Usage",
        line_item_resource_id: instance,
        pricing_public_on_demand_cost: amountText(2n * cost, "plain"),
      },
      node.tags,
    );
    month.expect(
      "owner",
      { owner: node.name },
      { billed: cost, effective: cost - moved, list: 2n * (cost - moved) },
    );
    for (const [index, { pod, split, unused, usageType }] of parts.entries()) {
      month.add(
        0n,
        {
          line_item_line_item_type: "Usage",
          line_item_operation: "EKSPod-EC2",
          line_item_product_code: "AmazonEKS",
          line_item_resource_id: `arn:aws:eks:us-east-1:111122223333:pod/c/ns/pod-${index}/uid`,
          split_line_item_parent_resource_id: instance,
          split_line_item_split_cost: amountText(split, "plain"),
          split_line_item_unused_cost: amountText(unused, "plain"),
          split_line_item_public_on_demand_split_cost: amountText(2n * split, "plain"),
          split_line_item_public_on_demand_unused_cost: amountText(2n * unused, "plain"),
          line_item_usage_type: usageType,
        },
        pod.tags,
      );
      month.expect("owner", { owner: pod.name }, { effective: split + unused, list: 2n * (split + unused) });
    }
  },
];

/** A month of CUR 2.0 with every scene once and then `size` more of them; its answers are known by construction. */
export function generateCurMonth(seed: number, size: number): CurMonth {
  const month = new Month(seed);
  for (const scene of SCENES) scene(month);
  for (let count = 0; count < size; count += 1) SCENES[month.below(SCENES.length)]?.(month);
  return { rows: month.rows, answers: month.answers, invoice: month.invoice };
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function columnsOf(rows: readonly CurRow[]): string[] {
  return [...new Set(rows.flatMap((row) => Object.keys(row.columns)))].toSorted();
}

/** Rows as CUR 2.0 writes them to CSV: snake case, tags as JSON text. */
export function curCsv(rows: readonly CurRow[]): string {
  const columns = columnsOf(rows);
  const lines = rows.map((row) =>
    [...columns.map((column) => row.columns[column] ?? ""), JSON.stringify(row.tags)].map(quoted).join(","),
  );
  return [[...columns, "resource_tags"].join(","), ...lines, ""].join("\n");
}

/** `savings_plan_savings_plan_a_r_n` as legacy reports write it: `savingsPlan/SavingsPlanARN`. */
function legacyName(column: string): string {
  const group =
    ["savings_plan", "pricing", "split_line_item", "line_item", "reservation", "product", "bill"].find(
      (prefix) => column.startsWith(`${prefix}_`),
    ) ?? "";
  const camel = (text: string): string =>
    text.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return `${camel(group)}/${camel(column.slice(group.length))}`;
}

/** Rows as a legacy report writes them: `lineItem/UnblendedCost`, a column per tag. */
export function legacyCurCsv(rows: readonly CurRow[]): string {
  const columns = columnsOf(rows);
  const keys = [...new Set(rows.flatMap((row) => Object.keys(row.tags)))].toSorted();
  const header = [
    ...columns.map(legacyName),
    ...keys.map((key) => `resourceTags/${key.replace("user_", "user:")}`),
  ];
  const lines = rows.map((row) =>
    [...columns.map((column) => row.columns[column] ?? ""), ...keys.map((key) => row.tags[key] ?? "")]
      .map(quoted)
      .join(","),
  );
  return [header.join(","), ...lines, ""].join("\n");
}
