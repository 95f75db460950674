import { describe, expect, test } from "vitest";
import { parseCpuInfo } from "../../../host-tuning/facts/cpu-info.ts";
import { cpuTree, factsOf } from "./facts-of.ts";

const DIRECTORY = "/sys/devices/system/cpu";
const PAIR = [
  { package: 0, core: 0, siblings: "0-1" },
  { package: 0, core: 0, siblings: "0-1" },
] as const;

describe("readCpu()", () => {
  test("counts cores by siblings, so that equal core ids in two packages are two cores", async () => {
    const { cpu } = await factsOf({
      ...cpuTree([
        { package: 0, core: 0, siblings: "0" },
        { package: 1, core: 0, siblings: "1" },
      ]),
      [`${DIRECTORY}/online`]: "0-1\n",
    });
    expect(cpu).toMatchObject({ packages: 2, cores: 2, threadsPerCore: 1 });
  });

  test("takes core_cpus before thread_siblings", async () => {
    const { cpu } = await factsOf({
      ...cpuTree(PAIR),
      [`${DIRECTORY}/cpu0/topology/core_cpus_list`]: "0\n",
      [`${DIRECTORY}/cpu1/topology/core_cpus_list`]: "1\n",
    });
    expect(cpu.cores).toBe(2);
  });

  test("counts siblings with different core ids as cores of their own, as in AMD's modules", async () => {
    const { cpu } = await factsOf(
      cpuTree([
        { package: 0, core: 0, siblings: "0-1" },
        { package: 0, core: 1, siblings: "0-1" },
      ]),
    );
    expect(cpu).toMatchObject({ cores: 2, threadsPerCore: 1 });
    expect(cpu.cpus[0]?.siblings).toBe("0");
  });

  test("leaves offline CPUs out of cores and siblings and names them", async () => {
    const { cpu } = await factsOf({
      ...cpuTree([...PAIR, { package: 0, core: 1, siblings: "2" }]),
      [`${DIRECTORY}/online`]: "0,2\n",
      [`${DIRECTORY}/present`]: "0-3\n",
      [`${DIRECTORY}/offline`]: "1,3-7\n",
    });
    expect(cpu).toMatchObject({ onlineCpus: "0,2", offlineCpus: "1", cores: 2, threadsPerCore: 1 });
  });

  test("without an online list takes each CPU's own word", async () => {
    const { cpu } = await factsOf({ ...cpuTree(PAIR), [`${DIRECTORY}/cpu1/online`]: "0\n" });
    expect(cpu).toMatchObject({ onlineCpus: "0", offlineCpus: "1" });
  });

  test("reads the masks of old kernels", async () => {
    const { cpu } = await factsOf({
      [`${DIRECTORY}/cpu0/topology/thread_siblings`]: "00000000,00000003\n",
      [`${DIRECTORY}/cpu1/topology/thread_siblings`]: "00000000,00000003\n",
    });
    expect(cpu).toMatchObject({ cores: 1, threadsPerCore: 2 });
  });

  test("without sysfs takes /proc/cpuinfo", async () => {
    const { cpu } = await factsOf({
      "/proc/cpuinfo": [0, 1, 2, 3]
        .map((id) => `processor\t: ${id}\nphysical id\t: ${id >> 1}\ncore id\t: 0\nmodel name\t: Some  CPU\n`)
        .join("\n"),
    });
    expect(cpu).toMatchObject({
      onlineCpus: "0-3",
      packages: 2,
      cores: 2,
      threadsPerCore: 2,
      model: "Some CPU",
    });
  });

  test("names CPUs that are said to be online and have no directory", async () => {
    const { cpu, unreadable } = await factsOf({ ...cpuTree(PAIR), [`${DIRECTORY}/online`]: "0-3\n" });
    expect(cpu.onlineCpus).toBe("0-1");
    expect(unreadable).toContainEqual({
      path: `${DIRECTORY}/online`,
      because: "Names CPUs without a directory: 2-3",
    });
  });

  test("says so when siblings do not agree", async () => {
    const { unreadable } = await factsOf(
      cpuTree([
        { package: 0, core: 0, siblings: "0-1" },
        { package: 0, core: 0, siblings: "1" },
      ]),
    );
    expect(unreadable.map(({ path }) => path)).toContain(`${DIRECTORY}/cpu0/topology`);
  });

  test("says so when there is no CPU at all", async () => {
    const { cpu, unreadable } = await factsOf({});
    expect(cpu).toMatchObject({ onlineCpus: "", cores: 0, packages: 0, cpus: [] });
    expect(unreadable.map(({ path }) => path)).toContain(DIRECTORY);
  });

  test("reads isolated CPUs, governors and policies, policies in the order of their numbers", async () => {
    const { cpu } = await factsOf({
      ...cpuTree(PAIR),
      [`${DIRECTORY}/isolated`]: "1\n",
      [`${DIRECTORY}/cpufreq/policy10/scaling_available_governors`]: "powersave\n",
      [`${DIRECTORY}/cpufreq/policy2/scaling_available_governors`]: "performance schedutil \n",
    });
    expect(cpu.isolatedCpus).toBe("1");
    expect(cpu.frequencyPolicies).toEqual(["policy2", "policy10"]);
    expect(cpu.governors).toEqual(["performance", "schedutil"]);
  });
});

describe("parseCpuInfo()", () => {
  test("names the designer of an Arm CPU and leaves the model it does not name", () => {
    const info = parseCpuInfo(
      "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd87\n",
    );
    expect(info).toMatchObject({ vendor: "ARM", model: null, armArchitecture: 8 });
    expect(info.flags.has("asimd")).toBe(true);
  });

  test("passes over what is no field", () => {
    const info = parseCpuInfo("no colon\n: no name\nprocessor : 70000\nprocessor : x\ncore id : 3\n");
    expect(info.cpus.size).toBe(0);
    expect(info.model).toBeNull();
  });
});
