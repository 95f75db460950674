import { afterAll, beforeAll, expect, it } from "vitest";
import type { HostReport, ReportEntry } from "../../../host-tuning/report/host-report.ts";
import { agentArtifact, failuresOf, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/**
 * CPUs, interrupts, memory and slices on a real kernel and a real systemd: applied, verified, changed by hand, found,
 * rolled back. One VM, so the tests stand in the order of its life. In the guest CPUs 0-1 are node 0, 2-3 node 1 with
 * the NIC; the service runs already, so that its slice and limits wait for its restart.
 */
const PROFILE = {
  preset: "latency",
  cpu: { reserved: "0-1", isolation: "partition" },
  swap: "zram",
  hugepages: { perNode: 16 },
  service: { memoryBytes: 256 * 1024 ** 2 },
};

const SERVICE = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n";

const SLICE = "/sys/fs/cgroup/bedplate.slice";

/** Kernel files that this test's knobs write; their bytes before the first apply are what rollback has to give back. */
const WRITTEN =
  `/sys/devices/system/cpu/cpufreq/policy*/scaling_governor /sys/devices/virtual/workqueue/cpumask
/sys/devices/virtual/workqueue/writeback/cpumask /proc/irq/default_smp_affinity
/sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/defrag
/sys/kernel/mm/transparent_hugepage/khugepaged/defrag /sys/kernel/mm/transparent_hugepage/khugepaged/max_ptes_none
/sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages
/sys/fs/cgroup/system.slice/mcp-service.service/memory.max`.replaceAll("\n", " ");

/** Every unit and drop-in of the guest. */
const UNIT_FILES = "find /etc/systemd/system | sort";

describeWith(LAB_PARTS, "CPUs, interrupts, memory and slices in a VM", () => {
  let lab: Lab;
  let before: string;
  let filesBefore: string;

  async function shell(command: string): Promise<string> {
    const { stdout, stderr, exitCode } = await lab.vm.ssh(command, { timeoutMillis: 120_000 });
    expect(exitCode, stderr).toBe(0);
    return stdout.trim();
  }

  function entry(report: HostReport, key: string): ReportEntry | undefined {
    return report.entries.find((candidate) => candidate.key === key);
  }

  beforeAll(async () => {
    lab = await startLab({
      userData: "#cloud-config\n",
      artifacts: [await agentArtifact()],
      image: { extraPackages: ["irqbalance"] },
    });
    await installAgent(lab.vm, PROFILE);
    await shell(
      `cat > /etc/systemd/system/mcp-service.service <<'X'\n${SERVICE}X\nsystemctl daemon-reload; systemctl start mcp-service`,
    );
    before = await shell(`grep . ${WRITTEN}`);
    filesBefore = await shell(UNIT_FILES);
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    await endLab(lab);
  }, 120_000);

  it(
    "applies all of it, and fails nothing",
    async () => {
      const { report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      const changed = new Set(
        report.entries.filter((one) => one.outcome === "changed").map((one) => one.key),
      );
      expect([...changed]).toEqual(
        expect.arrayContaining([
          "scaling_governor[policy0]",
          "scaling_governor[policy3]",
          "workqueue/cpumask",
          "workqueue/writeback/cpumask",
          "irq/default_smp_affinity",
          "hugepages/nr_hugepages[node0/hugepages-2048kB]",
          "hugepages/nr_hugepages[node1/hugepages-2048kB]",
          "systemd.Slice[mcp-service.service]",
          "systemd.slice.AllowedCPUs[system.slice]",
          "systemd.MemoryMax[mcp-service.service]",
          "cpuset.cpus.partition[bedplate.slice]",
          "irqbalance.IRQBALANCE_ARGS[irqbalance.service]",
          "irqbalance.IRQBALANCE_BANNED_CPULIST[irqbalance.service]",
          "zram/disksize",
        ]),
      );
      expect(entry(report, "pm_qos_resume_latency_us")).toMatchObject({ outcome: "unsupported" });
    },
    LAB_TIMEOUT_MILLIS,
  );

  it("is in force: the kernel's own files say so", async () => {
    expect(await shell("cat /sys/devices/system/cpu/cpufreq/policy*/scaling_governor | sort -u")).toBe(
      "performance",
    );
    expect(await shell(`cat ${SLICE}/cpuset.cpus.partition ${SLICE}/cpuset.cpus.effective`)).toBe(
      "root\n2-3",
    );
    expect(await shell("cat /sys/fs/cgroup/system.slice/cpuset.cpus.effective")).toBe("0-1");
    expect(await shell("cat /sys/devices/virtual/workqueue/cpumask /proc/irq/default_smp_affinity")).toBe(
      "3\n3",
    );
    expect(await shell("cat /sys/devices/system/node/node*/hugepages/hugepages-2048kB/nr_hugepages")).toBe(
      "16\n16",
    );
    expect(await shell("swapon --show=NAME --noheadings")).toBe("/dev/zram0");
    expect(await shell("cat /sys/fs/cgroup/system.slice/mcp-service.service/memory.max")).toBe(
      String(384 * 1024 ** 2),
    );
    // The service moves when it restarts, into CPUs of its own.
    await shell("systemctl restart mcp-service");
    const status = await shell(`cat /proc/$(head -1 ${SLICE}/mcp-service.service/cgroup.procs)/status`);
    expect(status).toContain("Cpus_allowed_list:\t2-3");
  }, 300_000);

  it("reports the disks' interrupts as managed, and refuses them as the kernel does", async () => {
    const { stdout } = await lab.vm.ssh("bedplate plan --phase late --json", { timeoutMillis: 300_000 });
    const plan = JSON.parse(stdout) as { steps: { key: string; action: string; because: string }[] };
    const nvme = plan.steps.filter((step) => /^irq\/smp_affinity_list\[nvme\d+ irqs/.test(step.key));
    expect(nvme.map((step) => step.action)).toEqual(["left", "left"]);
    expect(nvme[0]?.because).toMatch(/^managed: the kernel spreads these queues/);
    const irq = /irqs (\d+)/.exec(nvme[0]?.key ?? "")?.[1];
    const write = await lab.vm.ssh(`echo 0 > /proc/irq/${irq}/smp_affinity_list`);
    expect(write.stderr).toContain("Input/output error");
  }, 600_000);

  it("keeps pinned interrupts where they are while irqbalance runs", async () => {
    const queues = await shell(
      "tr '\\0' '\\n' < /proc/$(pgrep -x irqbalance)/cmdline | sed -n 's/--banirq=//p'",
    );
    const irqs = queues.split("\n");
    expect(irqs.length).toBeGreaterThan(1);
    const files = irqs.map((irq) => `/proc/irq/${irq}/smp_affinity_list`).join(" ");
    const pinned = await shell(`grep . ${files}`);
    // Two of the ten-second rounds in which irqbalance looks at the load and moves interrupts.
    await shell("sleep 22");
    expect(await shell(`grep . ${files}`)).toBe(pinned);
    expect(await shell("systemctl is-active irqbalance")).toBe("active");
  }, 120_000);

  it(
    "finds what was changed by hand, the invalid partition with the kernel's reason",
    async () => {
      await shell(`echo schedutil > /sys/devices/system/cpu/cpufreq/policy1/scaling_governor
echo f > /sys/devices/virtual/workqueue/cpumask
echo 4 > /sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages
echo 0-3 > /sys/fs/cgroup/system.slice/cpuset.cpus
systemctl stop bedplate-zram`);
      const { exitCode, report } = await runAgent(lab.vm, "verify");
      expect(exitCode).toBe(3);
      const drifted = report.entries.filter((one) => one.isDrifted).map((one) => one.key);
      expect(drifted).toEqual(
        expect.arrayContaining([
          "scaling_governor[policy1]",
          "workqueue/cpumask",
          "hugepages/nr_hugepages[node1/hugepages-2048kB]",
          "systemd.slice.AllowedCPUs[system.slice]",
          "cpuset.cpus.partition[bedplate.slice]",
          "zram/disksize",
        ]),
      );
      expect(entry(report, "cpuset.cpus.partition[bedplate.slice]")?.found).toBe(
        "root invalid (Cpu list in cpuset.cpus not exclusive)",
      );
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "puts it right",
    async () => {
      const { report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      expect(await shell(`cat ${SLICE}/cpuset.cpus.partition`)).toBe("root");
      expect(await shell("swapon --show=NAME --noheadings")).toBe("/dev/zram0");
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "rolls all of it back, and leaves the service running",
    async () => {
      const { report } = await runAgent(lab.vm, "rollback");
      expect(failuresOf(report)).toEqual([]);
      expect(await shell("systemctl is-active mcp-service irqbalance")).toBe("active\nactive");
      await shell("systemctl restart mcp-service");
      expect(await shell(`grep . ${WRITTEN}`)).toBe(before);
      expect(await shell(UNIT_FILES)).toBe(filesBefore);
      expect(
        await shell("swapon --show=NAME --noheadings; tr '\\0' ' ' < /proc/$(pgrep -x irqbalance)/cmdline"),
      ).toBe("/usr/sbin/irqbalance --foreground");
    },
    LAB_TIMEOUT_MILLIS,
  );
});
