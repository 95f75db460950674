import { expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { gpuTargets, parseGpus, readClockReasons, readGpu } from "../../../host-tuning/knobs/nvidia-smi.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { sampleFacts } from "../../helpers/facts.ts";
import {
  CARD_WITHOUT,
  createGpuHost,
  GPU_ADDRESS,
  GPU_FACTS,
  type GpuHost,
  H100,
  PYTHON,
} from "../../helpers/gpu-host.ts";
import { describeWith } from "../../helpers/needs.ts";
import { engineOn, type EngineChanges } from "../engine/engine.ts";

const GPU_KNOBS = KNOBS.filter((knob) => knob.family === "gpu");
const TARGET = { name: GPU_ADDRESS };

type Settings = NonNullable<NonNullable<EngineChanges["profile"]>["gpu"]>;

const ALL: Settings = {
  computeMode: "exclusive-process",
  lockedClocksMhz: { minimum: 1200, maximum: 1800 },
  powerLimitWatts: 500,
  mig: ["3g.40gb", "1g.10gb"],
  ecc: false,
};

function changes(
  gpu: GpuHost,
  settings: Settings,
  facts = sampleFacts({ gpus: [GPU_FACTS] }),
): EngineChanges {
  return { host: gpu.host, facts, knobs: GPU_KNOBS, profile: { gpu: settings } };
}

async function apply(gpu: GpuHost, settings: Settings): Promise<HostReport> {
  return await engineOn(gpu.tree.root).apply(changes(gpu, settings));
}

function outcomes(report: HostReport): Record<string, string> {
  return Object.fromEntries(
    report.entries.map(({ knob, outcome }) => [knob.replace("nvidia.", ""), outcome]),
  );
}

function because(report: HostReport, knob: string): string {
  return report.entries.find((entry) => entry.knob === knob)?.because ?? "";
}

describeWith([PYTHON], "GPU knobs on a double of nvidia-smi", () => {
  it("set everything, find it right, and take it back", async () => {
    await using gpu = await createGpuHost([H100]);
    const start = await gpu.gpu();
    const report = await apply(gpu, ALL);
    expect(outcomes(report)).toEqual({
      compute_mode: "changed",
      ecc_mode: "needs-reboot",
      locked_clocks: "changed",
      mig_mode: "changed",
      mig_profiles: "changed",
      persistence_mode: "changed",
      power_limit: "changed",
    });
    expect(await gpu.gpu()).toMatchObject({
      persistence_mode: "Enabled",
      compute_mode: "Exclusive_Process",
      "enforced.power.limit": "500.00",
      "mig.mode.current": "Enabled",
      "ecc.mode.current": "Enabled",
      "ecc.mode.pending": "Disabled",
      locked: "1200,1800",
      instances: ["1g.10gb", "3g.40gb"],
      "compute-instances": 2,
    });
    const second = await apply(gpu, ALL);
    expect(outcomes(second)).toEqual({
      compute_mode: "already-right",
      ecc_mode: "needs-reboot",
      locked_clocks: "already-right",
      mig_mode: "already-right",
      mig_profiles: "already-right",
      persistence_mode: "already-right",
      power_limit: "already-right",
    });
    const back = await engineOn(gpu.tree.root).rollback({ host: gpu.host, knobs: GPU_KNOBS });
    expect(back.counts.failed, JSON.stringify(back.entries.map((entry) => entry.because))).toBe(0);
    const { instances, ...end } = await gpu.gpu();
    expect(instances).toEqual([]);
    expect(end).toMatchObject(start);
    expect(end["locked"]).toBeUndefined();
    await expect(
      gpu.tree.read("/run/systemd/system/bedplate-gpu-clocks-0000-41-00-0.service"),
    ).rejects.toThrow();
  });

  it("leave alone what the profile does not name", async () => {
    await using gpu = await createGpuHost([H100]);
    const report = await apply(gpu, { persistenceMode: false });
    expect(new Set(report.entries.map((entry) => entry.outcome))).toEqual(new Set(["left", "unsupported"]));
    expect(gpu.calls.filter((call) => !call.includes("--query-gpu"))).toEqual([]);
  });

  it("ask nvidia-smi once for all knobs and GPUs that are read together", async () => {
    const other = { ...H100, "pci.bus_id": "0000:81:00.0" };
    await using gpu = await createGpuHost([H100, other]);
    const facts = sampleFacts({ gpus: [GPU_FACTS, { ...GPU_FACTS, pciAddress: "0000:81:00.0" }] });
    const plan = await engineOn(gpu.tree.root).plan(changes(gpu, ALL, facts));
    expect(plan.steps).toHaveLength(14);
    expect(gpu.calls).toHaveLength(1);
  });

  it("report what a card does not have, without calling it a fault", async () => {
    await using gpu = await createGpuHost([CARD_WITHOUT]);
    const report = await apply(gpu, ALL);
    expect(outcomes(report)).toMatchObject({
      ecc_mode: "unsupported",
      mig_mode: "unsupported",
      mig_profiles: "unsupported",
      power_limit: "unsupported",
      compute_mode: "changed",
    });
  });

  it("never call MIG mode done while the GPU is in use and the mode only pending", async () => {
    await using gpu = await createGpuHost([{ ...H100, "in-use": true }]);
    const report = await apply(gpu, { mig: ["1g.10gb"] });
    expect(outcomes(report)).toMatchObject({ mig_mode: "needs-reboot", mig_profiles: "failed" });
    expect(because(report, "nvidia.mig_profiles")).toContain("exit code 6");
    const verified = await engineOn(gpu.tree.root).verify(changes(gpu, { mig: ["1g.10gb"] }));
    expect(outcomes(verified)).toMatchObject({ mig_mode: "needs-reboot" });
  });

  it("fail on instances that somebody else made, and leave them", async () => {
    await using gpu = await createGpuHost([
      { ...H100, "mig.mode.current": "Enabled", "mig.mode.pending": "Enabled" },
    ]);
    await gpu.host.runTool("nvidia-smi", ["mig", "-i", GPU_ADDRESS, "-cgi", "1g.10gb"]);
    const report = await apply(gpu, { mig: ["3g.40gb"] });
    expect(because(report, "nvidia.mig_profiles")).toContain(
      `Cannot divide ${GPU_ADDRESS} into 3g.40gb: it is divided into 1g.10gb`,
    );
    expect(await gpu.gpu()).toMatchObject({ instances: ["1g.10gb"] });
  });

  it("fail on a limit or a clock that the GPU does not take, before anything is run", async () => {
    await using gpu = await createGpuHost([H100]);
    const report = await apply(gpu, {
      powerLimitWatts: 100,
      lockedClocksMhz: { minimum: 2500, maximum: 2600 },
    });
    expect(because(report, "nvidia.power_limit")).toBe(
      `Cannot limit ${GPU_ADDRESS} to 100 W: it takes 200 to 700 W`,
    );
    expect(because(report, "nvidia.locked_clocks")).toContain("it has 1980 MHz at most");
    expect(gpu.calls.filter((call) => / -(pl|lgc) /.test(call))).toEqual([]);
  });

  it("fail when a limit was taken and another is enforced", async () => {
    await using gpu = await createGpuHost([{ ...H100, chassis: 450 }]);
    const report = await apply(gpu, { powerLimitWatts: 500 });
    expect(because(report, "nvidia.power_limit")).toBe(
      `Cannot set nvidia.power_limit of ${GPU_ADDRESS} to "500 W": the host holds "450 W (of 200 to 700)" after the write; the driver enforces 450 W (of 200 to 700); nvidia-smi may take a limit without it being in force`,
    );
  });

  it("fail with what nvidia-smi said", async () => {
    await using gpu = await createGpuHost([H100]);
    await gpu.become({ unprivileged: true });
    const refused = await apply(gpu, { powerLimitWatts: 500 });
    expect(outcomes(refused)["power_limit"]).toBe("failed");
    await gpu.become({
      say: "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.",
      exit: 9,
    });
    await expect(readGpu(gpu.host, TARGET)).rejects.toThrow(
      `Cannot read ${GPU_ADDRESS}: nvidia-smi ended with 9: NVIDIA-SMI has failed because it couldn't communicate`,
    );
  });

  it("read the other GPUs when one is lost", async () => {
    const lost = { ...H100, "pci.bus_id": "0000:81:00.0", lost: true };
    await using gpu = await createGpuHost([lost, H100]);
    expect(await readGpu(gpu.host, TARGET)).toMatchObject({ compute_mode: "Default" });
    await expect(readGpu(gpu.host, { name: "0000:81:00.0" })).rejects.toThrow("Unknown Error");
  });

  it("start nvidia-persistenced first where it is installed", async () => {
    const unit = "/usr/lib/systemd/system/nvidia-persistenced.service";
    await using gpu = await createGpuHost([H100], { [unit]: "[Service]\n" });
    expect(outcomes(await apply(gpu, {}))["persistence_mode"]).toBe("changed");
    const started = gpu.calls.indexOf("systemctl start nvidia-persistenced.service");
    expect(started).toBeGreaterThan(-1);
    expect(gpu.calls.indexOf(`nvidia-smi -i ${GPU_ADDRESS} -pm 1`)).toBeGreaterThan(started);
  });

  it("find the clocks unlocked again when the unit was stopped, and above the lock when it does not hold", async () => {
    await using gpu = await createGpuHost([H100]);
    const settings = { lockedClocksMhz: { minimum: 1200, maximum: 1800 } };
    await apply(gpu, settings);
    await gpu.become({ gpus: [{ ...(await gpu.gpu()), "clocks.current.graphics": "1980" }] });
    const knob = GPU_KNOBS.find(({ id }) => id === "nvidia.locked_clocks");
    expect(await knob?.read(gpu.host, TARGET)).toBe("1200 to 1800 MHz, runs at 1980 MHz");
    await gpu.host.runTool("systemctl", ["stop", "bedplate-gpu-clocks-0000-41-00-0.service"]);
    expect(await knob?.read(gpu.host, TARGET)).toBe("unlocked, up to 1980 MHz");
  });

  it("say what slows a GPU, as evidence", async () => {
    await using gpu = await createGpuHost([
      { ...H100, "clocks_throttle_reasons.active": "0x0000000000000044" },
    ]);
    expect(await readClockReasons(gpu.host, TARGET)).toBe(
      "345 MHz, 71.20 W, 34 degrees Celsius; held back by: hardware thermal slowdown, software power cap",
    );
  });

  it("say why there is nothing to set: no driver, no nvidia-smi", async () => {
    await using gpu = await createGpuHost([], { [`/sys/bus/pci/devices/${GPU_ADDRESS}/vendor`]: "0x10de\n" });
    const without = Object.assign(gpu.host, { runTool: () => Promise.resolve(undefined) });
    const facts = sampleFacts({ gpus: [{ ...GPU_FACTS, driver: null }] });
    const plan = await engineOn(gpu.tree.root).plan({ ...changes(gpu, {}, facts), host: without });
    const step = plan.steps.find(({ knob }) => knob === "nvidia.persistence_mode");
    expect(step).toMatchObject({
      action: "unsupported",
      because: `no driver is bound to ${GPU_ADDRESS}; nvidia-smi is not installed`,
    });
  });
});

it("gpuTargets() takes NVIDIA's GPUs that the host itself uses", () => {
  const others = [
    { ...GPU_FACTS, pciAddress: "0000:42:00.0", driver: "nouveau" },
    { ...GPU_FACTS, pciAddress: "0000:43:00.0", driver: "vfio-pci" },
    { ...GPU_FACTS, pciAddress: "0000:44:00.0", driver: null },
    { ...GPU_FACTS, pciAddress: "0000:45:00.0", vendorId: "1002", driver: "amdgpu" },
  ];
  expect(gpuTargets(sampleFacts({ gpus: [GPU_FACTS, ...others] }))).toEqual([
    TARGET,
    { name: "0000:44:00.0" },
  ]);
});

it("parseGpus() reads figures and modes, and every word for nothing", () => {
  const row = (cells: readonly string[]): string => `00000000:41:00.0, ${cells.join(", ")}\n`;
  const values = ["Enabled", "Default", "700.00", "700.00", "200.00", "700.00"];
  const rest = ["Enabled", "Disabled", "Enabled", "Enabled", "345", "1980"];
  expect(parseGpus(row([...values, ...rest]))).toMatchObject([
    { "power.limit": 700, "mig.mode.current": "Enabled", "mig.mode.pending": "Disabled" },
  ]);
  for (const nothing of ["[N/A]", "N/A", "[Not Supported]", "[Unknown Error]", "ERR!", "[GPU is lost]"]) {
    const [gpu] = parseGpus(row([...values, nothing, nothing, ...rest.slice(2)]));
    expect(gpu?.["mig.mode.current"], nothing).toBeUndefined();
  }
});

it.each(["No devices were found", "00000000:41:00.0, Enabled", `0, ${"x, ".repeat(11)}x`])(
  "parseGpus() fails on %j",
  (text) => {
    expect(() => parseGpus(text)).toThrow("Cannot understand nvidia-smi");
  },
);
