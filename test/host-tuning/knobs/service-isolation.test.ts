import { describe, expect, it } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { isGoneAfterReboot } from "../../../host-tuning/engine/journal-state.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import { cpusetCpusPartition } from "../../../host-tuning/knobs/cpuset-cpus-partition.ts";
import { irqDefaultSmpAffinity } from "../../../host-tuning/knobs/irq-default-smp-affinity.ts";
import { irqbalanceIrqbalanceArgs } from "../../../host-tuning/knobs/irqbalance-irqbalance-args.ts";
import { irqbalanceIrqbalanceBannedCpulist } from "../../../host-tuning/knobs/irqbalance-irqbalance-banned-cpulist.ts";
import { partitionOf } from "../../../host-tuning/knobs/service-partition.ts";
import { systemdSlice } from "../../../host-tuning/knobs/systemd-slice.ts";
import { systemdSliceAllowedCpus } from "../../../host-tuning/knobs/systemd-slice-allowed-cpus.ts";
import { workqueueCpumask } from "../../../host-tuning/knobs/workqueue-cpumask.ts";
import { workqueueWritebackCpumask } from "../../../host-tuning/knobs/workqueue-writeback-cpumask.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { factsOfShape, sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { createHostRoot, readTree } from "../../helpers/host-root.ts";

/** 16 CPUs on 2 nodes, the NIC on node 1 with CPUs 8-15. */
const FACTS = factsOfShape();
const ISOLATED = { cpu: { reserved: "0,8", isolation: "partition" } } as const;
const SLICE = { name: "bedplate.slice" };

describe("partitionOf()", () => {
  it("gives the service its node's CPUs without the reserved ones, and everything else the rest", () => {
    expect(partitionOf(FACTS, sampleProfile(ISOLATED))).toMatchObject({
      kind: "split",
      service: "9-15",
      others: "0-8",
    });
  });

  it("refuses without CPUs for everything else, and does nothing unasked or for Kubernetes", () => {
    const none = (profile: Parameters<typeof sampleProfile>[0]): string => {
      const partition = partitionOf(FACTS, sampleProfile(profile));
      expect(partition.kind).toBe("none");
      return partition.because;
    };
    expect(none({ cpu: { isolation: "partition" } })).toContain("cpu.reserved");
    expect(none({ cpu: { reserved: "0" } })).toContain("asks for no cpuset partition");
    expect(none({ ...ISOLATED, service: { runtime: "kubernetes" } })).toContain(
      "asks for no cpuset partition",
    );
  });
});

describe("the service's slice", () => {
  it("is asked for with the partition alone", () => {
    expect(valueSet(systemdSlice, { profile: ISOLATED, current: "system.slice" })).toBe("bedplate.slice");
    expect(valueSet(systemdSlice, { current: "system.slice" })).toBeUndefined();
    expect(systemdSliceAllowedCpus.targets?.(FACTS, sampleProfile())).toEqual([]);
    expect(cpusetCpusPartition.targets?.(FACTS, sampleProfile())).toEqual([]);
  });

  it("is started at boot; rollback takes it out of the boot and never stops what runs in it", () => {
    const commands = systemdSlice
      .writes("bedplate.slice", { name: "mcp-service.service" }, "system.slice")
      .map((write) =>
        write.kind === "tool"
          ? [write.command, write.undo, write.survivesReboot]
          : "path" in write
            ? write.path
            : "",
      );
    expect(commands).toEqual([
      "/etc/systemd/system/bedplate.slice",
      "/etc/systemd/system/multi-user.target.d/50-bedplate.conf",
      [["systemctl", "start", "bedplate.slice"], ["systemctl", "daemon-reload"], true],
      "/etc/systemd/system/mcp-service.service.d/50-bedplate-slice.conf",
    ]);
  });

  it("is undone after a reboot as well, as its files start it again", () => {
    const undo: [string, ...string[]] = ["systemctl", "stop", "x"];
    expect(isGoneAfterReboot({ kind: "tool", undo, survivesReboot: true })).toBe(false);
    expect(isGoneAfterReboot({ kind: "tool", undo })).toBe(true);
  });

  it("shows where the process is while the configuration says another slice", async () => {
    await using root = await createHostRoot({
      "/etc/systemd/system/mcp-service.service": "[Service]\nExecStart=/x\n",
      "/etc/systemd/system/mcp-service.service.d/50-bedplate-slice.conf": "[Service]\nSlice=bedplate.slice\n",
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": "77\n",
      "/proc/77/cgroup": "0::/system.slice/mcp-service.service\n",
    });
    const current = await systemdSlice.read(openHost(root.root), { name: "mcp-service.service" });
    expect(current).toBe("system.slice, bedplate.slice after a restart");
  });

  it("splits the CPUs between the slices, and reads a drop-in that systemd has not taken up as not in force", async () => {
    const decided = (name: string): unknown =>
      systemdSliceAllowedCpus.desired({
        facts: FACTS,
        profile: sampleProfile(ISOLATED),
        current: "0-15",
        target: { name },
      });
    expect(decided("bedplate.slice")).toMatchObject({ kind: "set", value: "9-15" });
    expect(decided("init.scope")).toMatchObject({ kind: "set", value: "0-8" });
    const [write] = systemdSliceAllowedCpus.writes("0-8", { name: "init.scope" }, "0-15");
    expect(write).toMatchObject({
      path: "/etc/systemd/system/init.scope.d/50-bedplate-allowed-cpus.conf",
      text: expect.stringContaining("[Scope]\nAllowedCPUs=\nAllowedCPUs=0-8\n"),
    });
    await using root = await createHostRoot({
      "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu\n",
      "/sys/devices/system/cpu/online": "0-15\n",
      "/etc/systemd/system/init.scope.d/50-bedplate-allowed-cpus.conf": "[Scope]\nAllowedCPUs=0-8\n",
      "/sys/fs/cgroup/init.scope/cpuset.cpus.effective": "0-15\n",
    });
    const read = await systemdSliceAllowedCpus.read(openHost(root.root), { name: "init.scope" });
    expect(read).toBe("0-15, 0-8 after a reload");
  });
});

describe("cpuset.cpus.partition", () => {
  const input = {
    facts: FACTS,
    profile: sampleProfile(ISOLATED),
    knobs: [cpusetCpusPartition],
    phase: "late",
  } as const;
  const path = "/sys/fs/cgroup/bedplate.slice/cpuset.cpus.partition";

  it("applies through member, and goes back", async () => {
    await using root = await createHostRoot({ [path]: "member\n" });
    const host = openHost(root.root);
    const before = await readTree(root.root);
    const applied = await applyPlan({ host, ...input });
    expect(applied.entries).toMatchObject([{ outcome: "changed", found: "root" }]);
    await root.write(path, "root invalid (Parent is not a partition root)\n");
    const again = await applyPlan({ host, ...input });
    expect(again.entries).toMatchObject([{ outcome: "changed", isDrifted: true, found: "root" }]);
    await rollbackHost({ host, knobs: [cpusetCpusPartition], hostname: null, kernelRelease: null });
    expect((await readTree(root.root))[path]).toEqual(before[path]);
  });

  it("fails with the kernel's reason where it makes no partition of it", async () => {
    await using root = await createHostRoot({ [path]: "member\n" });
    const live = openHost(root.root);
    const refusing = Object.assign(openHost(root.root), {
      writeKernelFile: (file: string, text: string) =>
        live.writeKernelFile(
          file,
          text === "root\n" ? "root invalid (Cpu list in cpuset.cpus not exclusive)\n" : text,
        ),
    });
    const report = await applyPlan({ host: refusing, ...input });
    expect(report.entries).toMatchObject([
      {
        outcome: "failed",
        because: expect.stringContaining(
          "does not make it a partition: Cpu list in cpuset.cpus not exclusive",
        ),
      },
    ]);
  });

  it("counts as to come before the slice is there, and as absent without the controller", async () => {
    await using withCpuset = await createHostRoot({ "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu\n" });
    expect(await cpusetCpusPartition.read(openHost(withCpuset.root), SLICE)).toBe("member");
    await using without = await createHostRoot({ "/sys/fs/cgroup/cgroup.controllers": "cpu\n" });
    expect(await cpusetCpusPartition.read(openHost(without.root), SLICE)).toBeUndefined();
  });
});

describe("masks of the kernel's own work", () => {
  it("go to the reserved CPUs only where the service's are kept free", () => {
    for (const knob of [workqueueCpumask, workqueueWritebackCpumask]) {
      expect(valueSet(knob, { profile: ISOLATED, current: "0-15" })).toBe("0,8");
      expect(valueSet(knob, { profile: { cpu: { reserved: "0,8" } }, current: "0-15" })).toBeUndefined();
      expect(decide(knob, { profile: { cpu: { isolation: "boot" } }, current: "0-15" }).because).toContain(
        "cpu.reserved",
      );
    }
    expect(
      valueSet(irqDefaultSmpAffinity, { profile: { cpu: { reserved: "0,8,99" } }, current: "0-15" }),
    ).toBe("0,8");
    expect(valueSet(irqDefaultSmpAffinity, { current: "0-15" })).toBeUndefined();
  });

  it("are read and written in the kernel's words", async () => {
    const path = "/sys/devices/virtual/workqueue/cpumask";
    await using root = await createHostRoot({ [path]: "00000001,ffffffff\n" });
    const host = openHost(root.root);
    expect(await workqueueCpumask.read(host, { name: "" })).toBe("0-32");
    expect(workqueueCpumask.writes("0,33", { name: "" }, "0-32")).toEqual([
      { kind: "kernel-file", path, text: "00000002,00000001\n" },
    ]);
    await root.write(path, "zz\n");
    await expect(workqueueCpumask.read(host, { name: "" })).rejects.toThrow("expected a CPU mask");
  });
});

const UNIT = `[Service]
EnvironmentFile=-/usr/lib/irqbalance/defaults.env
EnvironmentFile=-/etc/default/irqbalance
ExecStart=/usr/sbin/irqbalance --foreground $IRQBALANCE_ARGS
`;
const BALANCER = { name: "irqbalance.service" };

function balanced(): HostFacts {
  return {
    ...sampleFacts(),
    ownership: [
      { owner: "irqbalance", key: "irq.affinity", source: "irqbalance.service", value: null, hold: "always" },
    ],
  };
}

describe("irqbalance's ban list", () => {
  it("bans what is pinned, keeps what somebody else set, and drops numbers of queues that have changed", () => {
    const facts = balanced();
    const irqs = [
      ...facts.irqs,
      {
        irq: 9,
        action: "acpi",
        pciAddress: null,
        node: null,
        isManaged: null,
        affinity: null,
        effectiveAffinity: null,
      },
    ];
    const desired = irqbalanceIrqbalanceArgs.desired({
      facts: { ...facts, irqs },
      profile: sampleProfile(),
      current: "--hintpolicy=exact --banirq=9 --banirq=64 --banirq=500",
      target: BALANCER,
    });
    const queues = Array.from({ length: 8 }, (_, queue) => `--banirq=${64 + queue}`).join(" ");
    expect(desired).toMatchObject({ kind: "set", value: `--hintpolicy=exact --banirq=9 ${queues}` });
  });

  it("has nothing to say where irqbalance does not run", () => {
    expect(irqbalanceIrqbalanceArgs.targets?.(sampleFacts(), sampleProfile())).toEqual([]);
    expect(irqbalanceIrqbalanceArgs.targets?.(balanced(), sampleProfile())).toEqual([BALANCER]);
  });

  it("reads what the running process was started with, and the distribution's file where it is not running", async () => {
    await using root = await createHostRoot({
      "/lib/systemd/system/irqbalance.service": UNIT,
      "/etc/default/irqbalance":
        '#IRQBALANCE_ARGS=--no\nIRQBALANCE_ARGS="--banirq=9"\nIRQBALANCE_BANNED_CPUS=f0\n',
    });
    const host = openHost(root.root);
    expect(await irqbalanceIrqbalanceArgs.read(host, BALANCER)).toBe("--banirq=9");
    expect(await irqbalanceIrqbalanceBannedCpulist.read(host, BALANCER)).toBe("4-7");
    await root.write("/sys/fs/cgroup/system.slice/irqbalance.service/cgroup.procs", "88\n");
    await root.write("/proc/88/cmdline", "/usr/sbin/irqbalance\0--foreground\0-i\x0012\0-i13\0--banirq=14\0");
    await root.write(
      "/proc/88/environ",
      "LANG=C\0IRQBALANCE_BANNED_CPULIST=2-3\0IRQBALANCE_BANNED_CPUS=ff\0",
    );
    expect(await irqbalanceIrqbalanceArgs.read(host, BALANCER)).toBe(
      "--banirq=12 --banirq=13 --banirq=14, --banirq=9 after a restart",
    );
    expect(await irqbalanceIrqbalanceBannedCpulist.read(host, BALANCER)).toBe("2-3, 4-7 after a restart");
  });

  it("is in no distribution's file: ours comes after it, and irqbalance is restarted and not stopped", async () => {
    await using root = await createHostRoot({
      "/usr/lib/systemd/system/irqbalance.service": UNIT.replace("/etc/default", "/etc/sysconfig"),
      "/etc/sysconfig/irqbalance": "IRQBALANCE_ARGS=--hintpolicy=exact\n",
    });
    const host = openHost(root.root);
    const before = await readTree(root.root);
    const knobs = [irqbalanceIrqbalanceArgs, irqbalanceIrqbalanceBannedCpulist];
    const input = { host, facts: balanced(), profile: sampleProfile(ISOLATED), knobs, phase: "all" } as const;
    const applied = await applyPlan(input);
    expect(applied.entries.map(({ outcome, found }) => [outcome, found])).toEqual([
      ["changed", expect.stringMatching(/^--hintpolicy=exact --banirq=64 .*--banirq=71$/)],
      ["changed", "1-7,9-15"],
    ]);
    expect(await root.read("/etc/sysconfig/irqbalance")).toBe("IRQBALANCE_ARGS=--hintpolicy=exact\n");
    expect(await root.read("/etc/systemd/system/irqbalance.service.d/50-bedplate-banned-cpus.env")).toContain(
      'IRQBALANCE_BANNED_CPULIST="1-7,9-15"\nIRQBALANCE_BANNED_CPUS="0000fefe"\n',
    );
    const reloads = knobs.flatMap((knob) =>
      knob
        .writes("1", BALANCER, "")
        .flatMap((write) => (write.kind === "config-file" ? (write.reload ?? []) : [])),
    );
    expect(reloads.flat()).not.toContain("stop");
    expect(reloads).toContainEqual(["systemctl", "try-restart", "irqbalance.service"]);
    await rollbackHost({ host, knobs, hostname: null, kernelRelease: null });
    const after = await readTree(root.root);
    for (const path of Object.keys(before)) expect(after[path], path).toEqual(before[path]);
    expect(Object.keys(after).filter((path) => path.includes("bedplate-"))).toEqual([]);
  });
});
