import path from "node:path";
import { parse as parseCsv } from "csv-parse/sync";
import { describe, expect, it } from "vitest";
import { FINDERS } from "../../../cost/idle/finders/index.ts";
import { type IdleReport, idleReportSchema } from "../../../cost/idle/idle-report.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PROMETHEUS, startPrometheus } from "../../helpers/prometheus-history.ts";
import { costCommand, type Outcome } from "../cost-command.ts";
import { focusCsv, focusRow } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

const CUR_COLUMNS = [
  "bill_billing_period_start_date",
  "bill_billing_period_end_date",
  "line_item_currency_code",
  "line_item_line_item_type",
  "line_item_product_code",
  "line_item_unblended_cost",
  "line_item_usage_start_date",
  "line_item_usage_end_date",
  "line_item_usage_account_id",
  "line_item_usage_type",
  "line_item_resource_id",
  "product_region_code",
  "resource_tags",
] as const;

interface Charge {
  readonly resource: string;
  readonly usageType: string;
  readonly cost?: string;
  readonly account?: string;
  readonly region?: string;
  readonly tags?: Readonly<Record<string, string>>;
  /** Days of July, the second one not counted; before 1 they are of an earlier month, and billed with it. */
  readonly from?: number;
  readonly until?: number;
}

function day(number: number): string {
  return new Date(Date.UTC(2026, 6, number)).toISOString().slice(0, 19).replace("T", " ");
}

function cur(charges: readonly Charge[]): string {
  const rows = charges.map(
    ({
      resource,
      usageType,
      cost = "3.10",
      account = "111",
      region = "us-east-1",
      tags = {},
      from = 1,
      until = 32,
    }) => [
      `${day(from).slice(0, 7)}-01 00:00:00`,
      from < 1 ? day(1) : day(32),
      "USD",
      "Usage",
      "AmazonEC2",
      cost,
      day(from),
      day(until),
      account,
      usageType,
      resource,
      region,
      JSON.stringify(tags),
    ],
  );
  const field = (text: string): string => `"${text.replaceAll('"', '""')}"`;
  return [CUR_COLUMNS, ...rows].map((row) => `${row.map(field).join(",")}\n`).join("");
}

const INSTANCE: Charge = {
  resource: "i-0aaa",
  usageType: "BoxUsage:m6i.large",
  cost: "70",
  tags: { user_environment: "prod" },
};

async function idle(charges: readonly Charge[], ...args: string[]): Promise<IdleReport> {
  const outcome = await run(cur(charges), "--json", ...args);
  expect(outcome.stderr).toBe("");
  return idleReportSchema.parse(JSON.parse(outcome.stdout));
}

function run(bill: string, ...args: string[]): Promise<Outcome> {
  const input = write("bill.csv", bill);
  return costCommand(path.dirname(input), "idle", "--input", input, "--today", "2026-08-01", ...args);
}

function found(report: IdleReport): (readonly (string | null)[])[] {
  return report.findings.map(({ kind, resource, confidence, perMonthRounded }) => [
    kind,
    resource,
    confidence,
    perMonthRounded,
  ]);
}

describe("bedplate cost idle", () => {
  it("finds what AWS charges as idle, and what is charged by the hour and for no use", async () => {
    const report = await idle([
      INSTANCE,
      { resource: "eipalloc-1", usageType: "PublicIPv4:IdleAddress", cost: "3.72" },
      { resource: "eni-1", usageType: "PublicIPv4:InUseAddress", cost: "3.72" },
      { resource: "lb-quiet", usageType: "LoadBalancerUsage", cost: "16.74" },
      { resource: "lb-quiet", usageType: "LCUUsage", cost: "0" },
      { resource: "lb-busy", usageType: "LoadBalancerUsage", cost: "16.74" },
      { resource: "lb-busy", usageType: "LCUUsage", cost: "0.0001" },
      { resource: "nat-quiet", usageType: "EUC1-NatGateway-Hours", cost: "38.69" },
      { resource: "nat-busy", usageType: "NatGateway-Hours", cost: "33.48" },
      { resource: "nat-busy", usageType: "NatGateway-Bytes", cost: "1.2" },
      { resource: "vpce-1", usageType: "VpcEndpoint-Hours", cost: "7.44" },
    ]);
    // Of 744 hours of July, an average month has 730.
    expect(found(report)).toEqual([
      ["unused-nat-gateway", "nat-quiet", "medium", "37.96"],
      ["unused-load-balancer", "lb-quiet", "medium", "16.43"],
      ["unused-endpoint", "vpce-1", "medium", "7.30"],
      ["idle-address", "eipalloc-1", "high", "3.65"],
    ]);
    expect(report.currencies).toEqual([
      expect.objectContaining({ currency: "USD", perMonthRounded: "65.34" }),
    ]);
    expect(report.findings[3]).toMatchObject({
      account: "111",
      region: "us-east-1",
      charges: { first: "2026-07-01", last: "2026-07-31", lines: 1 },
      cost: { billed: "3.72", effective: "3.72" },
    });
  });

  it("reads the same out of a FOCUS bill's descriptions", async () => {
    const storage = "$0.115 per GB-month of provisioned GP3 storage running PostgreSQL";
    const descriptions = [
      "$0.005 per Idle public IPv4 address per hour",
      "$0.0225 per Application LoadBalancer-hour (or partial hour)",
      "$0.045 per NAT Gateway Hour",
      "$0.05 per GB-Month of snapshot data stored - US East (Northern Virginia)",
      storage,
      "$0.08 per GB-month of General Purpose (gp3) provisioned storage - US East (N. Virginia)",
    ];
    const rows = descriptions.map((ChargeDescription, index) =>
      focusRow({
        ChargeDescription,
        ResourceId: `r-${index}`,
        RegionId: ChargeDescription.includes("snapshot") ? "eu-central-1" : "us-east-1",
        BilledCost: "1",
        EffectiveCost: "1",
        ChargePeriodEnd: "2026-07-04 00:00:00",
      }),
    );
    // An hour of a database is no hour of an instance, and its storage no volume of one.
    const running = ["$0.25 per RDS db.r6g.large Single-AZ instance hour running MySQL", storage].map(
      (ChargeDescription) =>
        focusRow({
          ChargeDescription,
          ResourceId: "db",
          BilledCost: "1",
          EffectiveCost: "1",
          ChargePeriodEnd: "2026-07-04 00:00:00",
        }),
    );
    const outcome = await run(focusCsv([...rows, ...running]), "--json");
    const report = idleReportSchema.parse(JSON.parse(outcome.stdout));
    expect(report.findings.map(({ kind }) => kind).toSorted()).toEqual([
      "idle-address",
      "idle-snapshot",
      "stopped-database",
      "unattached-volume",
      "unused-load-balancer",
      "unused-nat-gateway",
    ]);
  });

  it("says of a volume what runs beside it, and how sure that is", async () => {
    const volume = (resource: string, fields: Partial<Charge> = {}): Charge => ({
      resource,
      usageType: "EBS:VolumeUsage.gp3",
      ...fields,
    });
    const report = await idle([
      INSTANCE,
      { ...INSTANCE, resource: "i-0bbb", account: "222", until: 20 },
      volume("vol-beside", { tags: { user_environment: "prod" } }),
      volume("vol-untagged"),
      volume("vol-other", { tags: { user_environment: "Dev" } }),
      volume("vol-after", { account: "222", tags: { user_environment: "prod" } }),
      volume("vol-alone", { region: "eu-central-1" }),
      volume("vol-gone", { region: "eu-central-1", until: 29 }),
      volume("vol-new", { region: "eu-central-1", from: 31 }),
    ]);
    expect(Object.fromEntries(report.findings.map((one) => [one.resource, one.confidence]))).toEqual({
      "vol-after": "medium",
      "vol-alone": "high",
      "vol-new": "low",
      "vol-other": "low",
    });
    expect(report.findings.find(({ resource }) => resource === "vol-after")?.evidence[0]).toContain(
      "ends at 2026-07-20 00:00 UTC",
    );
  });

  it("finds snapshots that no volume is charged beside, that are old, or of an environment without volumes", async () => {
    const snapshot = (resource: string, fields: Partial<Charge> = {}): Charge => ({
      resource: `arn:aws:ec2:us-east-1:111:snapshot/${resource}`,
      usageType: "EBS:SnapshotUsage",
      ...fields,
    });
    const prod = { tags: { user_environment: "prod" } };
    const report = await idle(
      [
        INSTANCE,
        { resource: "vol-1", usageType: "EBS:VolumeUsage.gp3", ...prod },
        snapshot("snap-beside", prod),
        snapshot("snap-untagged"),
        snapshot("snap-dev", { tags: { user_environment: "Dev" } }),
        snapshot("snap-alone", { region: "eu-central-1", cost: "7.44" }),
        snapshot("snap-archived", { region: "eu-central-1", usageType: "EBS:SnapshotArchiveStorage" }),
        snapshot("snap-old", { from: -62, until: 1 }),
        snapshot("snap-old"),
        snapshot("snap-older-month", { from: -62, until: 1 }),
      ],
      "--month",
      "2026-07",
    );
    expect(
      report.findings.map(({ kind, resource, confidence, since, evidence }) => [
        kind,
        resource.split("/")[1],
        confidence,
        since,
        evidence[0],
      ]),
    ).toEqual([
      [
        "idle-snapshot",
        "snap-alone",
        "medium",
        "2026-07-01",
        "no volume of account 111, region eu-central-1 has a charge in the month: the one that it is of is gone or elsewhere",
      ],
      [
        "idle-snapshot",
        "snap-dev",
        "low",
        "2026-07-01",
        "no volume tagged Dev has a charge in account 111, region us-east-1; others there have",
      ],
      [
        "idle-snapshot",
        "snap-old",
        "medium",
        "2026-04-29",
        "it is charged since 2026-04-29 at least, 94 days",
      ],
    ]);
    expect(report.notes.join("\n")).toContain("a bill names no snapshot's volume");
  });

  it("finds databases that are charged for storage and for few or no instance hours, free hours counted", async () => {
    const storage = (name: string, fields: Partial<Charge> = {}): Charge => ({
      resource: `arn:aws:rds:us-east-1:111:db:${name}`,
      usageType: "RDS:GP3-Storage",
      cost: "14.88",
      ...fields,
    });
    const hours = (name: string, fields: Partial<Charge> = {}): Charge =>
      storage(name, { usageType: "InstanceUsage:db.r6g.large", cost: "5", ...fields });
    const report = await idle([
      storage("stopped", { usageType: "EUC1-RDS:Multi-AZ-GP2-Storage" }),
      storage("stopped", { usageType: "RDS:GP3-PIOPS", cost: "3.72" }),
      storage("stopped", { usageType: "RDS:ChargedBackupUsage", cost: "9" }),
      storage("mostly"),
      hours("mostly", { from: 3, until: 5 }),
      hours("mostly", { from: 5, until: 6, usageType: "Multi-AZUsage:db.r6g.large" }),
      storage("nightly"),
      hours("nightly", { from: 1, until: 9 }),
      storage("free"),
      hours("free", { cost: "0" }),
      storage("running"),
      hours("running"),
      // Twice the hours of one day are no two days.
      storage("one-day"),
      ...Array.from({ length: 9 }, () => hours("one-day", { from: 7, until: 8 })),
      { ...storage("cluster"), resource: "arn:aws:rds:us-east-1:111:cluster:aurora" },
    ]);
    expect(report.findings.map((one) => [one.kind, one.resource.split(":").at(-1), one.confidence])).toEqual([
      ["stopped-database", "stopped", "high"],
      ["stopped-database", "mostly", "medium"],
      ["stopped-database", "one-day", "medium"],
    ]);
    expect(report.findings[0]).toMatchObject({
      since: "2026-07-01",
      charges: { lines: 2 },
      cost: { billed: "18.6", effective: "18.6" },
      perMonthRounded: "18.25",
    });
    expect(report.findings[1]).toMatchObject({
      since: "2026-07-06",
      evidence: [
        "its storage is charged for 744 hours, and instance hours for 72 of them",
        "its last instance hours in the bill end at 2026-07-06 00:00 UTC",
      ],
    });
  });

  it("says since when: the end of the last use or the first charge, as far back as the bill goes", async () => {
    const report = await idle(
      [
        { resource: "nat", usageType: "NatGateway-Hours", from: -29, until: 1 },
        { resource: "nat", usageType: "NatGateway-Bytes", from: -29, until: -9 },
        { resource: "nat", usageType: "NatGateway-Hours" },
        { resource: "eip", usageType: "PublicIPv4:IdleAddress", from: -4, until: 1 },
        { resource: "eip", usageType: "PublicIPv4:IdleAddress" },
        { resource: "eni", usageType: "PublicIPv4:IdleAddress", from: 20 },
      ],
      "--month",
      "2026-07",
    );
    expect(Object.fromEntries(report.findings.map((one) => [one.resource, one.since]))).toEqual({
      nat: "2026-06-21",
      eip: "2026-06-26",
      eni: "2026-07-20",
    });
    // An earlier month's charges say since when, and are in no sum.
    expect(report.currencies[0]?.cost).toEqual({ billed: "9.3", effective: "9.3", lines: 3 });
  });

  it("adds every line up once, beside all that the month has", async () => {
    const charges: readonly Charge[] = [
      INSTANCE,
      { resource: "vol-1", usageType: "EBS:VolumeUsage.gp3", region: "eu-central-1", cost: "1.10" },
      { resource: "vol-1", usageType: "EBS:VolumeP-IOPS.gp3", region: "eu-central-1", cost: "0.20" },
      { resource: "snap-1", usageType: "EBS:SnapshotUsage", region: "eu-west-1", cost: "0.30" },
      { resource: "arn:aws:rds:us-east-1:111:db:x", usageType: "RDS:GP2-Storage", cost: "0.40" },
      { resource: "arn:aws:rds:us-east-1:111:db:x", usageType: "RDS:ChargedBackupUsage", cost: "50" },
      // One id that is charged as two things is two findings, each with its own lines.
      { resource: "both", usageType: "PublicIPv4:IdleAddress", cost: "0.05" },
      { resource: "both", usageType: "NatGateway-Hours", cost: "0.06" },
    ];
    const report = await idle(charges, "--env", environmentFile({ expires: "2026-07-31" }));
    expect(report.findings.map(({ kind }) => kind).toSorted()).toEqual([
      "expired-environment",
      "idle-address",
      "idle-snapshot",
      "stopped-database",
      "unattached-volume",
      "unused-nat-gateway",
    ]);
    expect(report.currencies).toMatchObject([
      {
        cost: { billed: "2.11", effective: "2.11", lines: 6 },
        bill: { billed: "122.11", effective: "122.11" },
      },
    ]);
    const { stdout } = await run(cur(charges));
    expect(stdout).toMatch(/Resources together: \S+ USD a month; in this bill 2\.11 of 122\.11, 6 lines/);
    expect(stdout).toContain("snapshot snap-1, since 2026-07-01\n");
  });

  it("ends a month under way where its usage does, and not where its fees do", async () => {
    const report = await idle([
      { ...INSTANCE, until: 2 },
      { resource: "eip-1", usageType: "PublicIPv4:IdleAddress", from: 4, until: 5, cost: "0.12" },
      { resource: "month", usageType: "TimedStorage-ByteHrs" },
    ]);
    expect(report.lastCharge).toBe("2026-07-05T00:00:00.000Z");
    expect(found(report)).toEqual([["idle-address", "eip-1", "low", "3.65"]]);
  });

  it("names the team by the owners file's service, then the tag, then the account", async () => {
    const owners = write(
      "owners.yaml",
      `apiVersion: bedplate/v1
kind: CostOwners
teams: [{ team: a, costCenters: [{ costCenter: C }] }, { team: b, costCenters: [{ costCenter: C }] }]
services: [{ service: moved, teams: [{ team: a, until: 2026-07-15 }, { team: b, from: 2026-07-15 }] }]
accounts: [{ account: "111", teams: [{ team: a }] }]
`,
    );
    const address = (resource: string, tags: Charge["tags"] = {}): Charge => ({
      resource,
      usageType: "PublicIPv4:IdleAddress",
      tags,
    });
    const report = await idle(
      [
        address("e-1", { user_service: "moved", user_team: "x" }),
        address("e-2", { user_team: "x" }),
        address("e-3"),
      ],
      "--owners",
      owners,
    );
    expect(report.findings.map(({ resource, team }) => [resource, team])).toEqual([
      ["e-1", "b"],
      ["e-2", "x"],
      ["e-3", "a"],
    ]);
  });

  it("prints at most 100 columns with the evidence, and CSV that a spreadsheet does not run", async () => {
    const bill = cur([
      { resource: "=1+1", usageType: "PublicIPv4:IdleAddress", tags: { user_team: "long ".repeat(30) } },
    ]);
    const { stdout } = await run(bill);
    expect(stdout).toContain("nothing that runs had it");
    expect(stdout.split("\n").filter((line) => line.length > 100)).toEqual([]);
    const rows: Record<string, string>[] = parseCsv((await run(bill, "--format", "csv")).stdout, {
      columns: true,
    });
    expect(rows).toMatchObject([{ kind: "idle-address", resource: "'=1+1", confidence: "high" }]);
  });

  it("fails on every wrong option at once", async () => {
    const outcome = await run(cur([INSTANCE]), "--today", "soon", "--usage-token-file", "x");
    expect(outcome).toMatchObject({ exitCode: 2, stdout: "" });
    expect(outcome.stderr).toMatch(/--today: [^]*--usage-token-file: /);
  });
});

const ENVIRONMENT = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "prod",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "10.00" },
};

function environmentFile(fields: object): string {
  return write("prod.json", JSON.stringify({ ...ENVIRONMENT, ...fields }));
}

describe("bedplate cost idle --env", () => {
  it("finds an environment on the day after it expires, with its cost in the bill", async () => {
    const expired = await idle([INSTANCE], "--env", environmentFile({ expires: "2026-07-31" }));
    expect(found(expired)).toEqual([["expired-environment", "prod", "high", "68.68"]]);
    expect(expired.findings[0]?.team).toBe("payments");
    expect(expired.currencies[0]?.perMonthRounded).toBe("0.00");
    expect((await idle([INSTANCE], "--env", environmentFile({ expires: "2026-08-01" }))).findings).toEqual(
      [],
    );
    expect((await idle([INSTANCE], "--env", environmentFile({}))).findings).toEqual([]);
  });
});

describeWith(PROMETHEUS, "bedplate cost idle --usage, on a real Prometheus", () => {
  it("finds an environment without calls and a host without work, and none that has either", async () => {
    const lines = ["# TYPE up gauge"];
    const samples: string[][] = [[], [], [], [], [], []];
    const start = Date.UTC(2026, 6, 1) / 1000;
    for (let at = 0; at <= 3 * 86_400; at += 120) {
      const time = start + at;
      samples[0]?.push(`up{job="mcp-tools"} 1 ${time}`);
      samples[1]?.push(
        `mcp_tool_call_duration_seconds_count{job="mcp-tools",tool="echo",outcome="ok"} 5 ${time}`,
        `mcp_tool_call_duration_seconds_count{job="busy",tool="echo",outcome="ok"} ${at} ${time}`,
      );
      samples[2]?.push(`mcp_tool_call_duration_seconds_sum{job="mcp-tools",tool="echo"} 1 ${time}`);
      samples[3]?.push(
        `node_cpu_seconds_total{instance="10.0.0.1:9100",cpu="0",mode="idle"} ${at * 0.99} ${time}`,
        `node_cpu_seconds_total{instance="10.0.0.2:9100",cpu="0",mode="idle"} ${at * 0.5} ${time}`,
        `node_cpu_seconds_total{instance="web-1:9100",cpu="0",mode="idle"} ${at * 0.98} ${time}`,
      );
      samples[4]?.push(
        `kube_node_info{node="a",internal_ip="10.0.0.1",provider_id="aws:///us-east-1a/i-0aaa"} 1 ${time}`,
        `kube_node_info{node="b",internal_ip="10.0.0.2",provider_id="aws:///us-east-1a/i-0bbb"} 1 ${time}`,
      );
      samples[5]?.push(`bedplate_host_info{instance="web-1:9100",instance_id="i-0ccc"} 1 ${time}`);
    }
    // OpenMetrics wants the samples of a series together.
    const text = [...lines, ...samples.flatMap((group) => group.toSorted(bySeries)), "# EOF", ""].join("\n");
    const prometheus = await startPrometheus(text);
    try {
      const charges = [
        { ...INSTANCE, from: 1, until: 4 },
        { ...INSTANCE, resource: "arn:aws:ec2:us-east-1:111:instance/i-0bbb", from: 1, until: 4, cost: "9" },
        { ...INSTANCE, resource: "i-0ccc", from: 1, until: 4 },
      ];
      const usage = ["--usage", prometheus.address];
      const quiet = await idle(charges, "--env", environmentFile({}), ...usage);
      expect(quiet.findings.map(({ kind, resource, confidence }) => [kind, resource, confidence])).toEqual([
        ["unused-environment", "prod", "high"],
        ["idle-host", "i-0aaa", "low"],
        ["idle-host", "i-0ccc", "low"],
      ]);
      expect(quiet.findings[1]?.evidence[0]).toBe(
        "its CPUs were never more than 1.0 % busy in any 5 minutes of 3 days",
      );
      const busy = await idle(charges, "--env", environmentFile({}), ...usage, "--job", "busy");
      expect(busy.findings.map(({ kind }) => kind)).toEqual(["idle-host", "idle-host"]);
    } finally {
      await prometheus.stop();
    }
  }, 120_000);
});

function bySeries(a: string, b: string): number {
  const series = (line: string): string => line.slice(0, line.indexOf("}"));
  return series(a) < series(b) ? -1 : Number(series(a) > series(b));
}

describe("FINDERS", () => {
  it("have a source for what they take a bill's lines for", () => {
    expect(FINDERS.filter(({ source = "https://" }) => !source.startsWith("https://"))).toEqual([]);
  });
});
