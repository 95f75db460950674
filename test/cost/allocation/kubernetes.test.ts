import { Decimal } from "decimal.js";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { allocationRulesSchema } from "../../../cost/allocation/allocation-rules.ts";
import {
  type KubernetesUsage,
  type ResourceHour,
  UsageCollector,
} from "../../../cost/allocation/kubernetes-usage.ts";
import { readKubernetesUsage } from "../../../cost/allocation/read-kubernetes-usage.ts";
import { nodeParts } from "../../../cost/allocation/split-by-pods.ts";
import { addDecimals, formatDecimal, parseDecimal, roundToTotal } from "../../../cost/money/exact-decimal.ts";
import { buildCostReport, isBalanced } from "../../../cost/report/build-cost-report.ts";
import type { CostReport } from "../../../cost/report/cost-report.ts";
import { reportKey } from "../../../cost/report/report-key.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { describeWith } from "../../helpers/needs.ts";
import { PROMETHEUS, type PrometheusHistory, startPrometheus } from "../../helpers/prometheus-history.ts";
import { type FocusRow, focusCsv, focusRow } from "../report/focus-month.ts";
import { scratchFolder } from "../report/scratch-folder.ts";

const Exact = Decimal.clone({ precision: 60 });
const write = scratchFolder();
const HOUR = Date.parse("2026-07-02T00:00:00Z") / 1000;
const ONE_HOUR = { startSeconds: HOUR, endSeconds: HOUR + 3600 };

type PodRow = readonly [pod: string, team: string, request: number, usage: number];

function hour(
  resource: ResourceHour["resource"],
  capacity: number,
  pods: readonly PodRow[],
  at = HOUR,
): ResourceHour {
  return {
    resource,
    hourSeconds: at,
    capacity,
    pods: pods.map(([pod, team, request, usage]) => ({ pod, labels: { team }, request, usage })),
  };
}

/** AWS's published example: https://docs.aws.amazon.com/cur/latest/userguide/example-accelerated-instances.html */
const P3_16XLARGE = [
  hour("cpu", 64, [
    ["pod 1", "namespace 1", 16, 4],
    ["pod 2", "namespace 2", 16, 18],
    ["pod 3", "namespace 1", 16, 4],
    ["pod 4", "namespace 2", 16, 4],
  ]),
  hour("gpu", 8, [
    ["pod 1", "namespace 1", 1, 1],
    ["pod 2", "namespace 2", 2, 3],
    ["pod 3", "namespace 1", 2, 1],
    ["pod 4", "namespace 2", 2, 2],
  ]),
  hour("memory", 488, [
    ["pod 1", "namespace 1", 100, 60],
    ["pod 2", "namespace 2", 100, 140],
    ["pod 3", "namespace 1", 100, 60],
    ["pod 4", "namespace 2", 100, 40],
  ]),
];

describe("nodeParts()", () => {
  const parts = nodeParts(P3_16XLARGE, ONE_HOUR, () => true);
  const whole = Exact.sum(...parts.map(({ weight }) => weight));
  const dollarsOf = (pod: string, part?: string): Decimal =>
    Exact.sum(
      ...parts
        .filter((one) => one.pod?.pod === pod && (part === undefined || one.part === part))
        .map(({ weight }) => weight.times(10).div(whole)),
    );
  const PODS = ["pod 1", "pod 2", "pod 3", "pod 4"];

  it("reproduces AWS's p3.16xlarge: split, unused and total cost of every pod", () => {
    expect(PODS.map((pod) => dollarsOf(pod, "used").toFixed(2))).toEqual(["1.85", "3.18", "2.35", "2.35"]);
    expect(PODS.map((pod) => dollarsOf(pod, "idle").toFixed(2))).toEqual(["0.06", "0.09", "0.06", "0.06"]);
    expect(PODS.map((pod) => dollarsOf(pod).toFixed(6))).toEqual([
      "1.908887",
      "3.264370",
      "2.413371",
      "2.413371",
    ]);
    // As exact fractions: 10 / 178.4 x (9 + 57.6 x 16/66 + 10 + 4.8 x 100/440) of pod 1.
    const exact = new Exact(10)
      .div("178.4")
      .times(
        new Exact(9)
          .plus(new Exact("57.6").times(16).div(66))
          .plus(10)
          .plus(new Exact("4.8").times(100).div(440)),
      );
    expect(dollarsOf("pod 1").toFixed(15)).toBe(exact.toFixed(15));
  });

  it("adds up to the node's 10.00 where AWS's own rounding gives 9.99", () => {
    expect(PODS.reduce((sum, pod) => sum + Number(dollarsOf(pod).toFixed(2)), 0)).toBeCloseTo(9.99, 10);
    const cents = roundToTotal(
      PODS.map((pod) => parseDecimal(dollarsOf(pod).toFixed(20))),
      2,
    );
    expect(formatDecimal(addDecimals(cents), 2)).toBe("10.00");
  });

  it("never has idle below 0, and uses up the node to the last digit, whatever its pods ask for", () => {
    const amount = fc.integer({ min: 0, max: 100 });
    const resource = fc.record({
      capacity: amount,
      pods: fc.array(fc.tuple(amount, amount), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.record({ cpu: resource, memory: resource, gpu: resource }),
        fc.boolean(),
        (node, isSpread) => {
          const hours = (["cpu", "memory", "gpu"] as const).map((name) =>
            hour(
              name,
              node[name].capacity,
              node[name].pods.map(([a, b], index): PodRow => [`pod ${index}`, "t", a, b]),
            ),
          );
          const all = nodeParts(hours, ONE_HOUR, () => isSpread);
          for (const { weight } of all) expect(weight.greaterThanOrEqualTo(0)).toBe(true);
          const missing = Exact.sum(0, ...all.map(({ weight }) => weight)).minus(3600);
          expect(missing.abs().lessThan("1e-50")).toBe(true);
        },
      ),
    );
  });

  it("leaves hours in which nothing was measured unknown", () => {
    const half = nodeParts(P3_16XLARGE, { startSeconds: HOUR - 3600, endSeconds: HOUR + 3600 }, () => true);
    expect(half.filter(({ part }) => part === "unknown").map(({ weight }) => weight.toNumber())).toEqual([
      3600,
    ]);
  });
});

function charge(cost: string, fields: Partial<FocusRow>): FocusRow {
  return focusRow({
    BilledCost: cost,
    EffectiveCost: cost,
    ListCost: cost,
    ChargePeriodStart: "2026-07-02T00:00:00Z",
    ChargePeriodEnd: "2026-07-02T01:00:00Z",
    Tags: '{"team": "platform"}',
    ...fields,
  });
}

async function report(
  rows: readonly FocusRow[],
  kubernetes: KubernetesUsage,
  nodes = "spread",
): Promise<CostReport> {
  const data = allocationRulesSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "AllocationRules",
    idle: { nodes },
  });
  const built = await buildCostReport({
    input: write("bill.csv", focusCsv(rows)),
    key: reportKey("team", undefined),
    kubernetes,
    rules: { name: "rules.yaml", sha256: "0".repeat(64), data },
  });
  expect(isBalanced(built)).toBe(true);
  return built;
}

function effectiveOf(built: CostReport): Record<string, string> {
  return Object.fromEntries(
    (built.currencies[0]?.rows ?? [])
      .filter(({ effective }) => effective !== "0")
      .map(({ owner, because, effectiveRounded }) => [owner ?? because ?? "", effectiveRounded]),
  );
}

const NODE = { ResourceId: "arn:aws:ec2:us-east-1:1:instance/i-p3" };
const CSV_HEADER = "hour,resource_id,resource,capacity,namespace,pod,request,usage,label_team";

describe("buildCostReport() with use of nodes by pods", () => {
  const usage: KubernetesUsage = { items: new Map([["i-p3", P3_16XLARGE]]), notes: [] };

  it("gives a node's cost to its pods' teams, its idle part as asked for, and shows both", async () => {
    const spread = await report([charge("10", NODE), charge("1", {})], usage);
    expect(effectiveOf(spread)).toEqual({ "namespace 1": "4.32", "namespace 2": "5.68", platform: "1.00" });
    expect(spread.currencies[0]?.nodes.map(({ resource, idlePercent }) => [resource, idlePercent])).toEqual([
      ["cpu", "0.0"],
      ["gpu", "0.0"],
      ["memory", "9.8"],
    ]);
    expect(spread.currencies[0]?.allocations[0]?.split).toBe("by-pod");
    expect(effectiveOf(await report([charge("10", NODE)], usage, "shown"))).toMatchObject({
      "node-idle": "0.27",
    });
    expect(effectiveOf(await report([charge("10", NODE)], usage, "kept"))).toMatchObject({
      platform: "0.27",
    });
  });

  it("shares a node's traffic by bytes and a volume by who has it, and leaves the rest with its owner", async () => {
    const collector = new UsageCollector();
    const pod = (name: string) => ({ pod: `ns/${name}`, labels: { team: name } });
    collector.addCapacity("i-p3", "cpu", HOUR, 4);
    collector.addPod("i-p3", "cpu", HOUR, { ...pod("search"), requestSeconds: 4 });
    collector.addPod("i-p3", "network", HOUR, { ...pod("search"), usageSeconds: 100 });
    collector.addPod("i-p3", "network", HOUR, { ...pod("lab"), usageSeconds: 300 });
    collector.addPod("vol-1", "storage", HOUR, { ...pod("lab"), requestSeconds: 1 });
    const day = { ChargePeriodStart: "2026-07-02", ChargePeriodEnd: "2026-07-02T02:00:00Z" };
    const rows = [
      charge("10", NODE),
      charge("4", { ...NODE, ChargeDescription: "$0.01 per GB - regional data transfer" }),
      charge("6", { ...day, ResourceId: "arn:aws:ec2:us-east-1:1:volume/vol-1" }),
    ];
    const built = await report(rows, { items: collector.items(), notes: [] });
    expect(effectiveOf(built)).toEqual({ search: "11.00", lab: "6.00", platform: "3.00" });
  });

  it("gives pods without a team's label to nobody", async () => {
    const items = new Map([
      [
        "i-p3",
        [
          hour("cpu", 4, [
            ["ns/x", " ", 1, 1],
            ["ns/y", "lab", 1, 1],
          ]),
        ],
      ],
    ]);
    expect(effectiveOf(await report([charge("10", NODE)], { items, notes: [] }))).toEqual({
      lab: "5.00",
      "key-absent": "5.00",
    });
  });

  it("says which nodes the bill does not know, and fails where the bill is not split by what a pod has", async () => {
    const other = {
      items: new Map([
        ["i-other", P3_16XLARGE],
        ["i-p3", P3_16XLARGE],
      ]),
      notes: [],
    };
    expect((await report([charge("10", NODE)], other)).notes).toContain(
      "1 of 2 nodes and volumes of --kubernetes have no line here, as i-other",
    );
    const input = write("bill.csv", focusCsv([charge("10", NODE)]));
    await expect(
      buildCostReport({ input, key: reportKey("account", undefined), kubernetes: usage }),
    ).rejects.toThrow(/--kubernetes: a pod has labels, and no account of its own/);
  });

  it("reads CSV, with every fault in it", async () => {
    const rows = P3_16XLARGE.flatMap(({ resource, capacity, pods }) => [
      `2026-07-02T00:00:00Z,i-p3,${resource},${capacity},,,,,`,
      ...pods.map(({ pod, labels, request, usage }) =>
        [`2026-07-02T00:00:00Z,i-p3,${resource},,ns,${pod},${request},${usage}`, labels["team"]].join(","),
      ),
    ]);
    const read = await readKubernetesUsage([write("use.csv", [CSV_HEADER, ...rows, ""].join("\n"))]);
    expect(effectiveOf(await report([charge("10", NODE)], read))).toEqual({
      "namespace 1": "4.32",
      "namespace 2": "5.68",
    });

    const broken = [
      "2026-07-02T00:30:00Z,i-1,cpu,4,,,,,",
      "2026-07-02T00:00:00Z,,disk,,ns,p,-1,1e3,",
      "2026-07-02T00:00:00Z,i-1,cpu,,ns,p,1,1,",
    ];
    const error = await readKubernetesUsage([write("broken.csv", [CSV_HEADER, ...broken].join("\n"))]).catch(
      (cause: unknown) => cause,
    );
    expect((error as InputError).faults.map(({ path }) => path)).toEqual([
      "line 2 hour",
      "line 3 resource_id",
      "line 3 resource",
      "line 3 request",
      "line 3 usage",
    ]);
  });

  it("reads or refuses any text that a file may hold", async () => {
    const csv = [
      CSV_HEADER,
      "2026-07-02T00:00:00Z,i-1,cpu,4,,,,,",
      "2026-07-02T00:00:00Z,i-1,cpu,,ns,p,1,1,t",
      "",
    ].join("\n");
    const json = JSON.stringify({
      status: "success",
      data: {
        resultType: "matrix",
        result: [
          {
            metric: {
              __name__: "kube_pod_container_resource_requests",
              node: "n",
              namespace: "a",
              pod: "p",
              resource: "cpu",
            },
            values: [
              [HOUR, "1"],
              [HOUR + 60, "1"],
            ],
          },
        ],
      },
    });
    let reads = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(["use.csv", csv], ["use.json", json]),
        fc.nat(),
        fc.nat({ max: 6 }),
        fc.string({ maxLength: 6 }),
        async ([name = "", text = ""], at, remove, insert) => {
          const place = at % text.length;
          const mutant = text.slice(0, place) + insert + text.slice(place + remove);
          const outcome = await readKubernetesUsage([write(name, mutant)]).catch((cause: unknown) => cause);
          if (outcome instanceof InputError) return;
          reads += 1;
          for (const hours of (outcome as KubernetesUsage).items.values()) {
            for (const { capacity, pods } of hours) {
              for (const amount of [capacity, ...pods.flatMap(({ request, usage }) => [request, usage])]) {
                expect(Number.isFinite(amount) && amount >= 0).toBe(true);
              }
            }
          }
        },
      ),
      { numRuns: 400 },
    );
    expect(reads).toBeGreaterThan(10);
  });
});

/** Four pods' series of AWS's example under their own names, a sample every five minutes of one hour. */
function openMetrics(): string {
  const times = Array.from({ length: 13 }, (_, index) => HOUR + index * 300);
  const gauge = (name: string, labels: string, value: number): string[] =>
    times.map((at) => `${name}{${labels}} ${value} ${at}`);
  const counter = (name: string, labels: string, perSecond: number): string[] =>
    // One restart in the middle: the counter begins anew.
    times.map(
      (at, index) => `${name}{${labels}} ${(index < 7 ? index : index - 7 + 1) * 300 * perSecond} ${at}`,
    );
  const GIB = 2 ** 30;
  const [cpu, gpu, memory] = P3_16XLARGE;
  const pods = cpu?.pods ?? [];
  const pod = (index: number): string => `namespace="ns",pod="pod-${index}"`;
  const families: readonly (readonly [string, string, readonly string[]])[] = [
    [
      "kube_node_info",
      "gauge",
      gauge("kube_node_info", 'node="ip-10-0-0-1",provider_id="aws:///us-east-1a/i-p3"', 1),
    ],
    [
      "kube_node_status_capacity",
      "gauge",
      [
        ...gauge("kube_node_status_capacity", 'node="ip-10-0-0-1",resource="cpu"', 64),
        ...gauge("kube_node_status_capacity", 'node="ip-10-0-0-1",resource="memory"', 488 * GIB),
        ...gauge("kube_node_status_capacity", 'node="ip-10-0-0-1",resource="nvidia_com_gpu"', 8),
        ...gauge("kube_node_status_capacity", 'node="ip-10-0-0-1",resource="pods"', 110),
      ],
    ],
    [
      "kube_pod_info",
      "gauge",
      pods.flatMap((_, index) => gauge("kube_pod_info", `${pod(index)},node="ip-10-0-0-1"`, 1)),
    ],
    [
      "kube_pod_labels",
      "gauge",
      pods.flatMap(({ labels }, index) =>
        gauge("kube_pod_labels", `${pod(index)},label_team="${labels["team"] ?? ""}"`, 1),
      ),
    ],
    [
      "kube_pod_container_resource_requests",
      "gauge",
      pods.flatMap((_, index) => {
        const of = (resource: string, value = 0): string[] =>
          gauge(
            "kube_pod_container_resource_requests",
            `${pod(index)},container="c",node="ip-10-0-0-1",resource="${resource}"`,
            value,
          );
        return [
          ...of("cpu", cpu?.pods[index]?.request),
          ...of("memory", (memory?.pods[index]?.request ?? 0) * GIB),
          // Devices are not oversubscribed: what is asked for is what is had.
          ...of("nvidia_com_gpu", Math.max(gpu?.pods[index]?.request ?? 0, gpu?.pods[index]?.usage ?? 0)),
        ];
      }),
    ],
    [
      "container_cpu_usage_seconds",
      "counter",
      pods.flatMap(({ usage }, index) => [
        ...counter("container_cpu_usage_seconds_total", `${pod(index)},container="c",cpu="total"`, usage),
        ...counter("container_cpu_usage_seconds_total", `${pod(index)},container="",cpu="total"`, usage * 9),
      ]),
    ],
    [
      "container_memory_working_set_bytes",
      "gauge",
      pods.flatMap((_, index) =>
        gauge(
          "container_memory_working_set_bytes",
          `${pod(index)},container="c"`,
          (memory?.pods[index]?.usage ?? 0) * GIB,
        ),
      ),
    ],
  ];
  return `${families.flatMap(([family, type, lines]) => [`# TYPE ${family} ${type}`, ...lines]).join("\n")}\n# EOF\n`;
}

describeWith(PROMETHEUS, "readKubernetesUsage() of what a real Prometheus answers", () => {
  let prometheus: PrometheusHistory;
  beforeAll(async () => {
    prometheus = await startPrometheus(openMetrics());
  }, 120_000);
  afterAll(async () => await prometheus.stop());

  it("splits AWS's example as AWS does", async () => {
    const query = '{__name__=~"kube_(node|pod)_.*|container_.*"}';
    const answer = await prometheus.queryRange(query, "2026-07-02T00:00:00Z", "2026-07-02T01:00:00Z", "300");
    const read = await readKubernetesUsage([write("answer.json", answer)]);
    expect(read.notes).toEqual([]);
    // The sample at 01:00 says what was used until then, and what is asked for from then on.
    const measured = (read.items.get("i-p3") ?? []).filter(({ hourSeconds }) => hourSeconds === HOUR);
    expect(measured.map(({ resource, capacity }) => [resource, capacity])).toEqual([
      ["cpu", 64],
      ["gpu", 8],
      ["memory", 488],
    ]);
    expect(measured[0]?.pods.map(({ request, usage }) => [request, usage])).toEqual([
      [16, 4],
      [16, 18],
      [16, 4],
      [16, 4],
    ]);
    expect(effectiveOf(await report([charge("10", NODE)], read))).toEqual({
      "namespace 1": "4.32",
      "namespace 2": "5.68",
    });
  });
});
