import path from "node:path";
import { describe, expect, it } from "vitest";
import {
  type Environment,
  type EnvironmentInput,
  environmentSchema,
} from "../../../components/environment/environment-spec.ts";
import { loadCatalogue } from "../../../cost/catalogue/catalogue.ts";
import { buildRightSize } from "../../../cost/right-size/build-right-size.ts";
import { type Commitments, NO_COMMITMENTS } from "../../../cost/right-size/commitments.ts";
import type { UsageSeries } from "../../../cost/right-size/container-usage.ts";
import { renderRightSizeCsv, renderRightSizeTable } from "../../../cost/right-size/render-right-size.ts";
import { type RightSizeReport, rightSizeReportSchema } from "../../../cost/right-size/right-size-report.ts";
import { MIB, observed, series } from "./usage-fixture.ts";

const GOLDEN = path.resolve(import.meta.dirname, "../../golden/cost");
const POOL = { name: "serving", where: "aws", count: 6, needs: { vcpus: 16, memoryGiB: 64 } } as const;

function environment(changes: Partial<EnvironmentInput> = {}): Environment {
  return environmentSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "prod",
    region: "us-east-1",
    owner: { team: "payments", costCenter: "CC-7", service: "mcp-gateway" },
    hostPools: [POOL],
    service: {
      runtime: "kubernetes",
      image: `registry.example.com/mcp@sha256:${"0".repeat(64)}`,
      replicas: 9,
      cpus: 8,
      memoryMiB: 24_576,
    },
    budget: { currency: "USD", perMonth: "9000.00" },
    ...changes,
  } satisfies EnvironmentInput);
}

/** Nine pods that each use `cores` and `mib` all the time. */
function usage(cores: number, mib: number, days = 14): readonly UsageSeries[] {
  return Array.from({ length: 9 }, (_, index) => ({ pod: `mcp-service-${index}` })).flatMap((pod) => [
    series("cpu_cores", days, () => cores, pod),
    series("memory_bytes", days, () => mib * MIB, pod),
    series("cpu_request_cores", days, () => 8, pod),
    series("memory_request_bytes", days, () => 24_576 * MIB, pod),
  ]);
}

function rightSize(
  all: readonly UsageSeries[],
  changes: Partial<EnvironmentInput> = {},
  commitments: Commitments = NO_COMMITMENTS,
  days = 14,
): RightSizeReport {
  const report = buildRightSize({
    environment: environment(changes),
    usage: observed(days, all),
    catalogue: loadCatalogue("us-east-1"),
    commitments,
  });
  expect(rightSizeReportSchema.parse(report)).toEqual(report);
  return report;
}

describe("buildRightSize()", () => {
  it("carries smaller requests through packing to fewer or cheaper hosts, and saves their price", () => {
    const report = rightSize(usage(2.4, 5000));
    const [pool] = report.pools;
    expect(pool).toMatchObject({ outcome: "changed", now: { count: 6 } });
    expect(report.changes).toContainEqual({ path: "service.cpus", from: 8, to: 3 });
    expect(Number(pool?.now?.perMonth) - Number(pool?.after?.perMonth)).toBeCloseTo(
      Number(report.saving.perMonth),
      6,
    );
    expect(Number(report.saving.perMonth)).toBeGreaterThan(1000);
    // The change asks for exactly the type that was priced.
    const again = environment();
    for (const { path: place, to } of report.changes) {
      if (place.startsWith("hostPools[0].needs.")) {
        Object.assign(again.hostPools[0]?.needs ?? {}, { [place.slice("hostPools[0].needs.".length)]: to });
      }
      if (place === "hostPools[0].count") Object.assign(again.hostPools[0] ?? {}, { count: to });
      if (place === "service.cpus") Object.assign(again.service, { cpus: to });
      if (place === "service.memoryMiB") Object.assign(again.service, { memoryMiB: to });
    }
    const second = buildRightSize({
      environment: again,
      usage: observed(14, usage(2.4, 5000)),
      catalogue: loadCatalogue("us-east-1"),
      commitments: NO_COMMITMENTS,
    });
    expect(second.pools[0]).toMatchObject({ outcome: "already-right", now: pool?.after });
    expect(second.changes).toEqual([]);
  });

  it("saves nothing when no host disappears, and says so", () => {
    const { saving, pools } = rightSize(usage(2.4, 5000), {
      // One host needs two to stay up, and the smallest type is what it has.
      hostPools: [{ ...POOL, count: 2, needs: { vcpus: 1, memoryGiB: 1 } }],
      service: { ...environment().service, replicas: 1, cpus: 4 },
    });
    expect(pools[0]?.outcome).not.toBe("left");
    expect(saving.perMonth === "0" || Number(saving.perMonth) < 0).toBe(true);
    const small = rightSize(usage(0.2, 300).slice(0, 2), {
      hostPools: [{ ...POOL, count: 2, needs: { vcpus: 4, memoryGiB: 8, bareMetal: true } }],
      service: { ...environment().service, replicas: 1, cpus: 4 },
    });
    expect(small.saving).toMatchObject({
      perMonth: "0",
      perMonthRounded: "0.00",
      hostsNow: 2,
      hostsAfter: 2,
    });
    expect(small.saving.because).toContain("no host disappears");
    expect(small.changes).toContainEqual({ path: "service.cpus", from: 4, to: 1 });
  });

  it("counts only what commitments do not pay for", () => {
    const free = rightSize(usage(2.4, 5000));
    const type = free.pools[0]?.now?.instanceType ?? "";
    const reserved = rightSize(
      usage(2.4, 5000),
      {},
      {
        ...NO_COMMITMENTS,
        reservations: [{ instanceType: type, count: 6, sizeFlexible: false }],
      },
    );
    expect(reserved.saving.perMonth).toBe("0");
    expect(reserved.changes.filter(({ path }) => path.startsWith("hostPools"))).toEqual([]);
    const plan = rightSize(
      usage(2.4, 5000),
      {},
      {
        ...NO_COMMITMENTS,
        savingsPlans: [{ type: "compute", commitmentPerHour: "1.00", discountPercent: 50 }],
      },
    );
    // 1.00 at half price covers 2.00 of on-demand an hour: that much is never saved.
    const paidAfter = Number(plan.pools[0]?.after?.perMonth) - 2 * 730;
    const paidNow = Number(plan.pools[0]?.now?.perMonth) - 2 * 730;
    expect(Number(plan.saving.perMonth)).toBeCloseTo(paidNow - Math.max(0, paidAfter), 6);
  });

  it("asks for more where use outgrew the hosts", () => {
    const { saving, changes } = rightSize(usage(14, 40_000));
    expect(Number(saving.perMonth)).toBeLessThan(0);
    expect(saving.because).toContain("too few or too small");
    expect(changes).toContainEqual({ path: "service.cpus", from: 8, to: expect.any(Number) });
  });

  it("shrinks nothing that was not seen, or not for long enough", () => {
    const unseen = rightSize([series("cpu_cores", 14, () => 1, { namespace: "other" })]);
    expect(unseen.pools[0]).toMatchObject({ outcome: "left" });
    expect(unseen.changes).toEqual([]);
    expect(unseen.saving.perMonth).toBe("0");
    const short = rightSize(usage(0.1, 100, 3), {}, NO_COMMITMENTS, 3);
    expect(short.changes.filter(({ path }) => path.startsWith("service"))).toEqual([]);
    expect(short.notes.join()).toContain("no whole week was seen");
  });

  it("keeps daemons on every host and other workloads at what they request", () => {
    const daemon = series("cpu_request_cores", 14, () => 2, {
      namespace: "kube-system",
      ownerKind: "DaemonSet",
      owner: "node-agent",
      container: "agent",
    });
    const other = [
      series("cpu_request_cores", 14, () => 12, { namespace: "batch", owner: "jobs", container: "jobs" }),
      series("cpu_cores", 14, () => 0.1, { namespace: "batch", owner: "jobs", container: "jobs" }),
    ];
    const alone = rightSize(usage(2.4, 5000));
    const shared = rightSize([...usage(2.4, 5000), daemon, ...other]);
    expect(shared.pools[0]?.pods).toContainEqual(
      expect.objectContaining({ name: "batch/jobs", milliCpus: 12_000 }),
    );
    expect(shared.pools[0]?.pods.map(({ name }) => name)).not.toContain("kube-system/node-agent");
    expect(Number(shared.pools[0]?.after?.perMonth)).toBeGreaterThan(Number(alone.pools[0]?.after?.perMonth));
  });

  it("is unpriced, and saves nothing, in a region whose prices are not known", () => {
    const report = buildRightSize({
      environment: environment({ region: "eu-central-1" }),
      usage: observed(14, usage(2.4, 5000)),
      catalogue: loadCatalogue("eu-central-1"),
      commitments: NO_COMMITMENTS,
    });
    expect(report.pools[0]).toMatchObject({ outcome: "unpriced", now: null, after: null });
    expect(report.saving.perMonth).toBe("0");
  });

  it("keeps one service on each host under systemd and makes the hosts smaller", () => {
    const report = rightSize(usage(1.5, 2000), {
      hostPools: [{ ...POOL, count: 9 }],
      service: { runtime: "systemd", cpus: 8, memoryMiB: 24_576 },
    });
    expect(report.pools[0]).toMatchObject({ now: { count: 9 }, after: { count: 9 }, outcome: "changed" });
    expect(Number(report.saving.perMonth)).toBeGreaterThan(0);
  });
});

describe("GPU advice", () => {
  const gpuPool = {
    name: "gpu",
    where: "aws",
    count: 2,
    needs: { vcpus: 8, memoryGiB: 32, gpus: 1 },
  } as const;
  const model = {
    namespace: "models",
    owner: "llm",
    container: "llm",
    pod: "llm-0",
    gpuModel: "NVIDIA A100-SXM4-40GB",
  };
  const device = (uuid: string, active: number, usedGiB: number, reasons = 0): readonly UsageSeries[] => [
    series("gpu_sm_active_share", 14, () => active, { ...model, device: uuid }),
    series("gpu_memory_used_bytes", 14, () => usedGiB * 1024 * MIB, { ...model, device: uuid }),
    series("gpu_memory_total_bytes", 14, () => 40 * 1024 * MIB, { ...model, device: uuid }),
    series("gpu_throttle_reasons", 14, () => reasons, { ...model, device: uuid }),
  ];
  const requested = (count: number): UsageSeries =>
    series("gpu_request_devices", 14, () => count, { ...model, gpuModel: "" });
  const adviceOf = (all: readonly UsageSeries[]): RightSizeReport["workloads"][number]["gpu"] =>
    rightSize([...usage(2.4, 5000), ...all], { hostPools: [POOL, gpuPool] }).workloads.find(
      ({ owner }) => owner === "llm",
    )?.gpu ?? null;

  it("takes a device away only where nobody used one", () => {
    const both = adviceOf([requested(2), ...device("GPU-1", 0.7, 30), ...device("GPU-2", 0, 0.1)]);
    expect(both).toMatchObject({
      devicesRequested: 2,
      devicesSeen: 2,
      devicesIdle: 1,
      devicesAdvised: 1,
      migProfile: null,
    });
    const busy = adviceOf([requested(2), ...device("GPU-1", 0.7, 30), ...device("GPU-2", 0.02, 8)]);
    expect(busy).toMatchObject({ devicesIdle: 0, devicesAdvised: 2 });
  });

  it("advises the smallest slice that holds memory and work, and none when heat held it back", () => {
    expect(adviceOf([requested(1), ...device("GPU-1", 0.2, 7)])).toMatchObject({ migProfile: "2g.10gb" });
    expect(adviceOf([requested(1), ...device("GPU-1", 0.05, 7)])).toMatchObject({ migProfile: "1g.10gb" });
    expect(adviceOf([requested(1), ...device("GPU-1", 0.9, 7)])).toMatchObject({ migProfile: null });
    // SwThermalSlowdown; the idle bit alone holds nothing back.
    expect(adviceOf([requested(1), ...device("GPU-1", 0.05, 7, 0x20)])).toMatchObject({
      migProfile: null,
      throttledShare: 1,
    });
    expect(adviceOf([requested(1), ...device("GPU-1", 0.05, 7, 0x01)])).toMatchObject({
      migProfile: "1g.10gb",
      throttledShare: 0,
    });
  });

  it("knows nothing of what is not measured", () => {
    const blind = adviceOf([requested(1), ...device("GPU-1", 0, 0).slice(1)]);
    expect(blind).toMatchObject({
      smActiveP95: null,
      devicesIdle: 0,
      devicesAdvised: null,
      migProfile: null,
    });
    expect(blind?.because.join()).toContain("not known, and not 0");
  });
});

describe("renderRightSizeTable() and renderRightSizeCsv()", () => {
  it("read as the golden files, at most 100 columns wide", async () => {
    const report = rightSize(usage(2.4, 5000));
    const table = renderRightSizeTable(report);
    expect(Math.max(...table.split("\n").map((line) => line.length))).toBeLessThanOrEqual(100);
    await expect(table).toMatchFileSnapshot(path.join(GOLDEN, "right-size-prod.txt"));
    await expect(renderRightSizeCsv(report)).toMatchFileSnapshot(path.join(GOLDEN, "right-size-prod.csv"));
  });
});
