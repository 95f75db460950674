import { afterAll, beforeAll, expect, it } from "vitest";
import { EARLY_UNIT, HOST_PATHS, LATE_UNIT } from "../../../host-tuning/boot/paths.ts";
import { type ReportEntry, hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { agentArtifact, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/** Boot arguments through a real GRUB, update-grub, systemd and kernel. One VM; the tests stand in the order of its life. */

const PROFILE = {
  preset: "latency",
  // Half of the CPUs stay: an emulated boot on one alone takes minutes longer.
  cpu: { isolation: "boot", reserved: "0-1" },
  // Whether the host is reachable is not what this is about.
  confirm: { gateway: false, probes: [] },
};

const ARGUMENTS = [
  "irqaffinity=0-1",
  "isolcpus=domain,managed_irq,2-3",
  "nohz_full=2-3",
  "rcu_nocbs=2-3",
  "skew_tick=1",
] as const;

const KEYS = ARGUMENTS.map((argument) => `${argument.slice(0, argument.indexOf("="))}[grub]`);

const PATIENCE_MILLIS = 400_000;

describeWith(LAB_PARTS, "boot arguments through a real GRUB", () => {
  let lab: Lab;
  let stock: { readonly commandLine: string; readonly config: string };

  async function sh(command: string): Promise<string> {
    const { exitCode, stdout, stderr } = await lab.vm.ssh(command, { timeoutMillis: PATIENCE_MILLIS });
    if (exitCode !== 0) throw new Error(`${command}: exit code ${exitCode}: ${stderr}`);
    return stdout.trim();
  }

  async function bootEntries(line: string): Promise<{ entries: ReportEntry[] }> {
    const { report } = await runAgent(lab.vm, line);
    const byKey = new Map(report.entries.map((entry) => [entry.key, entry]));
    return { entries: KEYS.flatMap((key) => byKey.get(key) ?? []) };
  }

  const outcomes = (entries: readonly ReportEntry[]): string[] => entries.map(({ outcome }) => outcome);
  const dropIns = (): Promise<string> => sh("cd /etc/default/grub.d && ls | grep bedplate || true");
  const config = (): Promise<string> => sh("cat /boot/grub/grub.cfg");

  beforeAll(async () => {
    lab = await startLab({
      memoryMiB: 1024,
      nvmeDisks: [],
      sriovNic: false,
      image: { bootLoader: "grub" },
      userData: "#cloud-config\nruncmd:\n  - [update-grub]\n",
      artifacts: [await agentArtifact()],
    });
    await installAgent(lab.vm, PROFILE);
    stock = { commandLine: await sh("cat /proc/cmdline"), config: await config() };
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  it(
    "the unit, in its sandbox, writes one file for each argument and lets update-grub take them up",
    async () => {
      expect(stock.commandLine).toMatch(/^BOOT_IMAGE=\/boot\/vmlinuz-/);
      await sh(
        `cp ${HOST_PATHS.agentUnits}/* /etc/systemd/system/ && systemctl daemon-reload && systemctl enable --quiet ${EARLY_UNIT} ${LATE_UNIT} && { systemctl start ${LATE_UNIT} || true; }`,
      );
      const { entries } = hostReportSchema.parse(JSON.parse(await sh(`cat ${HOST_PATHS.report}`)));
      expect(entries.filter(({ key }) => KEYS.includes(key)).map(({ outcome }) => outcome)).toEqual(
        KEYS.map(() => "needs-reboot"),
      );
      expect((await dropIns()).split("\n")).toEqual([
        "99-bedplate-irqaffinity.cfg",
        "99-bedplate-isolcpus.cfg",
        "99-bedplate-nohz-full.cfg",
        "99-bedplate-rcu-nocbs.cfg",
        "99-bedplate-skew-tick.cfg",
      ]);
      const lines = (await config()).split("\n").filter((line) => /^\s*linux\s/.test(line));
      const normal = lines.filter((line) => !/ single /.test(line));
      expect(normal.length).toBeGreaterThan(0);
      for (const line of normal) expect(line.endsWith(ARGUMENTS.join(" "))).toBe(true);
      const recovery = lines.filter((line) => / single /.test(line));
      expect(recovery.length).toBeGreaterThan(0);
      for (const line of recovery) expect(line).not.toMatch(/isolcpus|nohz_full/);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "a second apply writes nothing and still says that a reboot is needed",
    async () => {
      const stamps = "stat -c '%n %Y %Z %i' /boot/grub/grub.cfg /etc/default/grub.d/*bedplate*";
      const before = await sh(stamps);
      const { entries } = await bootEntries("apply");
      expect(outcomes(entries)).toEqual(KEYS.map(() => "needs-reboot"));
      expect(await sh(stamps)).toBe(before);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "a run that was killed before update-grub is made good by the next",
    async () => {
      const whole = await config();
      await lab.vm.ssh("cat > /boot/grub/grub.cfg", { input: stock.config });
      const { entries } = await bootEntries("apply");
      expect(outcomes(entries)).toEqual(KEYS.map(() => "needs-reboot"));
      expect(await config()).toBe(whole);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "the next boot has them on its command line and in force",
    async () => {
      await lab.vm.reboot();
      const line = await sh("cat /proc/cmdline");
      expect(line.endsWith(ARGUMENTS.join(" "))).toBe(true);
      expect(await sh("cat /sys/devices/system/cpu/isolated")).toBe("2-3");
      expect(await sh("cat /sys/devices/system/cpu/nohz_full")).toBe("2-3");
      expect(await sh("cat /proc/irq/default_smp_affinity")).toBe("3");
      // Waits for the run at boot, whatever comes of the host's other settings.
      await sh(`systemctl start ${LATE_UNIT} || true`);
      const { entries } = await bootEntries("verify");
      expect(outcomes(entries)).toEqual(KEYS.map(() => "already-right"));
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "rollback and a reboot give the command line back as it was",
    async () => {
      const { entries } = await bootEntries("rollback");
      expect(outcomes(entries)).toEqual(KEYS.map(() => "needs-reboot"));
      expect(await dropIns()).toBe("");
      expect(await config()).toBe(stock.config);
      await sh(`systemctl disable --quiet ${EARLY_UNIT} ${LATE_UNIT}`);
      await lab.vm.reboot();
      // The image's first configuration names the root disk otherwise than update-grub does.
      const words = (line: string): string[] => line.split(/\s+/).filter((word) => !word.startsWith("root="));
      expect(words(await sh("cat /proc/cmdline"))).toEqual(words(stock.commandLine));
      expect(await sh("cat /sys/devices/system/cpu/isolated")).toBe("");
    },
    LAB_TIMEOUT_MILLIS,
  );
});
