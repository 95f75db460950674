import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { addDecimals, formatDecimal, parseDecimal } from "../../../cost/money/exact-decimal.ts";
import { unitCostSchema } from "../../../cost/unit-cost/unit-cost.ts";
import {
  CALL_SCOPE,
  type IssuerClient,
  type OAuthIssuer,
  startOAuthIssuer,
} from "../../helpers/oauth-issuer.ts";
import { describeWith } from "../../helpers/needs.ts";
import { freePort, PROMETHEUS, startPrometheus } from "../../helpers/prometheus-history.ts";
import { modernCall, modernHeaders, send, start } from "../../service/running-service.ts";
import { costCommand } from "../cost-command.ts";
import { curCsv } from "../report/cur-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const write = scratchFolder();

function clientOf(tenant: string, team: string): IssuerClient {
  return {
    clientId: `${tenant}-agent`,
    clientSecret: `${tenant}-agent-password-of-32-characters`,
    claims: { tenant, team },
  };
}
const ACME = clientOf("acme", "search");
const GLOBEX = clientOf("globex", "ads");

const DEV = {
  apiVersion: "bedplate/v1",
  kind: "Environment",
  name: "dev",
  region: "us-east-1",
  owner: { team: "payments", costCenter: "CC-7", service: "mcp-tools" },
  hostPools: [{ name: "web", where: "aws", count: 1, needs: { vcpus: 2, memoryGiB: 4 } }],
  service: { runtime: "systemd" },
  budget: { currency: "USD", perMonth: "60.00" },
};

/** The calls are of today, so the bill is; not one that ends in the middle of the test. */
async function today(): Promise<string> {
  const leftMillis = 86_400_000 - (Date.now() % 86_400_000);
  if (leftMillis < 60_000) await sleep(leftMillis + 1000);
  return new Date().toISOString().slice(0, 10);
}

function billOf(day: string, cost: string): string {
  const month = `${day.slice(0, 7)}-01`;
  const end = new Date(Date.UTC(Number(day.slice(0, 4)), Number(day.slice(5, 7)), 1))
    .toISOString()
    .slice(0, 10);
  return curCsv([
    {
      columns: {
        bill_billing_period_start_date: `${month} 00:00:00`,
        bill_billing_period_end_date: `${end} 00:00:00`,
        line_item_currency_code: "USD",
        line_item_product_code: "AmazonEC2",
        line_item_resource_id: "i-1",
        line_item_line_item_type: "Usage",
        line_item_unblended_cost: cost,
        line_item_usage_start_date: `${day} 00:00:00`,
        line_item_usage_end_date: `${day} 01:00:00`,
      },
      tags: { user_environment: "dev" },
    },
  ]);
}

describeWith(PROMETHEUS, "cost by tenant, from tokens to money", () => {
  let issuer: OAuthIssuer;
  beforeAll(async () => {
    issuer = await startOAuthIssuer([ACME, GLOBEX]);
  });
  afterAll(async () => issuer.stop());

  it(
    "is what a real issuer's tokens, the service's counters and a real Prometheus that scrapes them give",
    { timeout: 90_000 },
    async () => {
      const day = await today();
      const port = String(await freePort());
      const resource = `http://127.0.0.1:${port}/mcp`;
      const { url } = await start({
        PORT: port,
        AUTHORIZATION_ISSUER: issuer.address,
        AUTHORIZATION_RESOURCE: resource,
        AUTHORIZATION_SCOPES: CALL_SCOPE,
        TENANT_CLAIM: "tenant",
        TEAM_CLAIM: "team",
      });
      const prometheus = await startPrometheus(
        undefined,
        `scrape_configs: [{job_name: mcp-tools, scrape_interval: 1s, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]\n`,
      );
      onTestFinished(async () => prometheus.stop());
      const scraped = async (promql: string): Promise<number> => {
        const query = new URLSearchParams({ query: promql }).toString();
        const answer = (await (await fetch(`${prometheus.address}/api/v1/query?${query}`)).json()) as {
          readonly data: { readonly result: readonly { readonly value: readonly [number, string] }[] };
        };
        return Number(answer.data.result[0]?.value[1] ?? Number.NaN);
      };
      const request = async (client: IssuerClient, method: string, count: number): Promise<void> => {
        const authorization = `Bearer ${await issuer.token(client, resource)}`;
        const name = method === "tools/call" ? "echo" : "";
        for (let sent = 0; sent < count; sent += 1) {
          const headers = { ...modernHeaders(name, method), authorization };
          expect((await send(url, { headers }, modernCall(name, { text: "a" }, method))).status).toBe(200);
        }
      };
      const calls = 'mcp_tenant_tool_call_duration_seconds_count{job="mcp-tools",tool="echo",outcome="ok"}';

      // A client lists the tools before it calls one: its series are there, at 0, before its first call.
      for (const client of [ACME, GLOBEX]) await request(client, "tools/list", 1);
      await expect.poll(async () => scraped(`count(${calls})`), { timeout: 30_000 }).toBe(2);
      await request(ACME, "tools/call", 30);
      await request(GLOBEX, "tools/call", 10);
      await expect.poll(async () => scraped(`sum(${calls})`), { timeout: 30_000 }).toBe(40);

      const dev = write("dev.json", JSON.stringify(DEV));
      for (const [by, keys] of [
        ["tenant", ["acme", "globex"]],
        ["team", ["ads", "search"]],
      ] as const) {
        const { exitCode, stdout, stderr } = await costCommand(
          path.dirname(dev),
          "unit-cost",
          "--env",
          dev,
          "--input",
          write("bill.csv", billOf(day, "12.345678901")),
          "--usage",
          prometheus.address,
          "--by",
          by,
          "--price-per-million",
          "1000000",
          "--json",
        );
        expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
        const [environment] = unitCostSchema.parse(JSON.parse(stdout)).environments;
        const rows = environment?.rows ?? [];
        expect(new Set(rows.map(({ key }) => key))).toEqual(new Set(keys));
        const sum = (texts: readonly string[]): string => formatDecimal(addDecimals(texts.map(parseDecimal)));
        expect(sum(rows.map(({ cost }) => cost))).toBe("12.345678901");
        expect(sum(rows.map(({ costRounded }) => costRounded))).toBe("12.35");
        for (const [tenants, count] of [
          [["acme", "search"], 30],
          [["globex", "ads"], 10],
        ] as const) {
          const row = rows.find(({ key }) => key !== null && tenants.some((tenant) => tenant === key));
          // PromQL's increase adds what it takes to have been counted since the last scrape.
          expect(row?.calls).toBeGreaterThanOrEqual(count);
          expect(row?.calls).toBeLessThan(count * 1.6);
          expect(row?.failedCalls).toBe(0);
          const revenue = parseDecimal(row?.margin?.revenue ?? "");
          expect(formatDecimal(revenue)).toBe(String(row?.calls));
        }
      }
    },
  );
});
