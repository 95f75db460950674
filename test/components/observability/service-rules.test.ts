import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { stringify } from "yaml";
import { environmentSchema } from "../../../components/environment/environment-spec.ts";
import { type RuleGroup, serviceRules } from "../../../components/observability/service-rules.ts";
import { createMetrics } from "../../../service/metrics.ts";
import { prod } from "../../../stacks/prod.ts";
import { describeWith, program } from "../../helpers/needs.ts";

const NAMESPACE = "mcp-gateway-prod";
const group = serviceRules(NAMESPACE, environmentSchema.parse(prod).service);

/** What promtool says of rules, and of what they do with series. */
function promtool(rules: RuleGroup, tests: readonly object[]): { exitCode: number | null; output: string } {
  const folder = mkdtempSync(path.join(tmpdir(), "bedplate-service-rules-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const files = { rules: path.join(folder, "rules.yml"), tests: path.join(folder, "tests.yml") };
  writeFileSync(files.rules, stringify({ groups: [rules] }));
  writeFileSync(files.tests, stringify({ rule_files: [files.rules], evaluation_interval: "1m", tests }));
  const said = [
    ["check", "rules", files.rules],
    ["test", "rules", files.tests],
  ].map((args) => spawnSync("promtool", args, { encoding: "utf8", timeout: 60_000 }));
  const failed = said.find(({ status }) => status !== 0);
  return {
    exitCode: failed === undefined ? 0 : failed.status,
    output: said.map(({ stdout, stderr }) => stdout + stderr).join(""),
  };
}

/** Requests a minute of one status, and refusals a minute by reason and tenant, over an hour. */
function minutes(requests: number, refusals: Readonly<Record<string, number>>): readonly object[] {
  const of = `namespace="${NAMESPACE}"`;
  return [
    { series: `mcp_http_requests_total{${of},path="/mcp",status="200"}`, values: `0+${requests}x60` },
    ...Object.entries(refusals).map(([labels, count]) => ({
      series: `mcp_refused_requests_total{${of},${labels}}`,
      values: `0+${count}x60`,
    })),
  ];
}

const ALERTS = ["McpServiceUnauthorized", "McpServiceInsufficientScope", "McpServiceRateLimited"] as const;

/** Which of the alerts about refusals fire for these tenants after an hour, and which do not. */
function afterAnHour(
  series: readonly object[],
  firing: Partial<Record<(typeof ALERTS)[number], { labels: object; summary: string }>>,
): object {
  return {
    interval: "1m",
    input_series: series,
    alert_rule_test: ALERTS.map((alertname) => {
      const alert = firing[alertname];
      const rule = group.rules.find((one) => one.alert === alertname);
      return {
        eval_time: "1h",
        alertname,
        exp_alerts:
          alert === undefined
            ? []
            : [
                {
                  exp_labels: { severity: "warning", ...alert.labels },
                  exp_annotations: { summary: alert.summary, description: rule?.annotations.description },
                },
              ],
      };
    }),
  };
}

const UNAUTHORIZED = 'reason="unauthorized",tenant="none",team="none"';
const RATE = (tenant: string): string => `reason="rate",tenant="${tenant}",team="search"`;
const SUMMARY = `of the requests to the MCP service in ${NAMESPACE}`;

const TESTS = [
  afterAnHour(
    minutes(100, {
      [UNAUTHORIZED]: 45,
      'reason="insufficient-scope",tenant="a",team="b"': 4,
      [RATE("a")]: 4,
      [RATE("b")]: 4,
    }),
    {},
  ),
  afterAnHour(minutes(100, { [UNAUTHORIZED]: 80 }), {
    McpServiceUnauthorized: { labels: {}, summary: `80% ${SUMMARY} are refused: unauthorized` },
  }),
  afterAnHour(
    minutes(100, {
      'reason="insufficient-scope",tenant="a",team="b"': 5,
      'reason="insufficient-scope",tenant="c",team="b"': 5,
    }),
    {
      McpServiceInsufficientScope: {
        labels: {},
        summary: `10% ${SUMMARY} are refused: insufficient-scope`,
      },
    },
  ),
  afterAnHour(minutes(100, { [RATE("noisy")]: 40, [RATE("calm")]: 1 }), {
    McpServiceRateLimited: {
      labels: { tenant: "noisy" },
      summary: `40% ${SUMMARY}, those of tenant noisy, are refused: rate`,
    },
  }),
];

describeWith([program("promtool", "apt-get install prometheus")], "serviceRules()", () => {
  it("tells of refusals when they are more than is normal, by reason and tenant, and not otherwise", () => {
    const { exitCode, output } = promtool(group, TESTS);
    expect(exitCode, output).toBe(0);
  });

  it("never passes with a rule that is deaf", () => {
    for (const alert of ALERTS) {
      const deaf = group.rules.map((rule) =>
        rule.alert === alert ? { ...rule, expr: "vector(0) > 1" } : rule,
      );
      expect(promtool({ ...group, rules: deaf }, TESTS).exitCode).not.toBe(0);
    }
  });

  it("asks only for counters that the service has", async () => {
    const text = await createMetrics().registry.metrics();
    const names = group.rules.flatMap(({ expr }) => expr.match(/mcp_\w+/g) ?? []);
    expect(new Set(names).size).toBeGreaterThanOrEqual(2);
    expect(names.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
  });
});
