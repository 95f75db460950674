import { spawnSync } from "node:child_process";
import { afterAll, beforeAll, expect, it } from "vitest";
import { buildHostArchives } from "../../../components/environment/host-archives.ts";
import { artifactUrl } from "../../../components/hosts/local-vm/vm-spec.ts";
import { DRIFT_TIMER, DRIFT_UNIT, HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { renderDriftInterval } from "../../../host-tuning/boot/units.ts";
import { driftReportSchema } from "../../../host-tuning/report/drift-report.ts";
import { LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith, program } from "../../helpers/needs.ts";

/** What starts by itself after boot, on a real systemd, udev and kernel. One VM; the tests stand in the order of its life. */

const KEY = "net.ipv4.tcp_slow_start_after_idle";
const TEXTFILE = "/var/lib/bedplate/textfile/bedplate.prom";
const READ_AHEAD = "/sys/block/nvme0n1/queue/read_ahead_kb";

/** Longest wait in the guest for something that takes a second there: emulation shares the machine with other tests. */
const PATIENCE_SECONDS = 240;

const IS_IDLE = `[ "$(systemctl is-active ${DRIFT_UNIT})" = inactive ]`;

function waitFor(condition: string): string {
  return `for i in $(seq ${PATIENCE_SECONDS}); do if ${condition}; then exit 0; fi; sleep 1; done; exit 1`;
}

const PROMTOOL = program("promtool", "apt-get install prometheus");

describeWith([...LAB_PARTS, PROMTOOL], "drift timer and hot plug in a VM", () => {
  let lab: Lab;

  async function sh(command: string): Promise<{ exitCode: number; stdout: string }> {
    const { exitCode, stdout, stderr } = await lab.vm.ssh(command, {
      timeoutMillis: (PATIENCE_SECONDS + 60) * 1000,
    });
    return { exitCode, stdout: stdout.trim() + (exitCode === 0 ? "" : stderr) };
  }

  /** The machine may have been up for longer than the timer's first five minutes, and be at it. */
  async function quietTimer(): Promise<void> {
    expect(await sh(`systemctl stop ${DRIFT_TIMER}; ${waitFor(IS_IDLE)}`)).toMatchObject({ exitCode: 0 });
  }

  async function write(path: string, text: string): Promise<void> {
    const { exitCode } = await lab.vm.ssh(`mkdir -p $(dirname ${path}) && cat >${path}`, { input: text });
    expect(exitCode, path).toBe(0);
  }

  /** As the installer does, but that nothing is started: what it starts has a test of its own (test/e2e). */
  beforeAll(async () => {
    const agent = (await buildHostArchives(new Set(["x86_64"]))).agent.x86_64;
    if (agent === undefined) throw new Error("no agent archive");
    lab = await startLab({
      cpus: 2,
      memoryMiB: 1024,
      numaNodes: 1,
      nvmeDisks: [{ sizeMiB: 64 }],
      sriovNic: false,
      userData: "#cloud-config\n{}\n",
      artifacts: [agent],
    });
    const unpacked = await sh(
      `mkdir -p ${HOST_PATHS.agentCurrent} && curl -fsS ${artifactUrl(agent.sha256)} | tar -xzC ${HOST_PATHS.agentCurrent} && ln -s ${HOST_PATHS.agentCurrent}/bin/bedplate ${HOST_PATHS.command} && cp ${HOST_PATHS.agentUnits}/*.service ${HOST_PATHS.agentUnits}/*.timer ${HOST_PATHS.unitFolder} && cp ${HOST_PATHS.agentUnits}/*.rules $(dirname ${HOST_PATHS.udevRules}) && udevadm control --reload`,
    );
    expect(unpacked).toMatchObject({ exitCode: 0 });
    // A read-ahead that no disk has by itself, so that having it proves the agent was there.
    await write(
      HOST_PATHS.profile,
      `{apiVersion: bedplate/v1, kind: HostProfile, drift: {policy: heal}, overrides: {queue/read_ahead_kb: {value: 64, because: a test}}}`,
    );
    await write(`${HOST_PATHS.unitFolder}/${DRIFT_TIMER}.d/10-interval.conf`, renderDriftInterval(7));
    // Whether every knob of this machine comes into force is no matter here.
    await sh(`systemctl daemon-reload && ${HOST_PATHS.command} apply >/var/log/apply.log 2>&1`);
    await sh(`systemctl enable --now ${DRIFT_TIMER}`);
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  it(
    "the timer is up with the profile's interval, and no device unit ran for what was there",
    async () => {
      const timer = await sh(
        `systemctl show ${DRIFT_TIMER} --property=ActiveState,UnitFileState,TimersMonotonic`,
      );
      expect(timer.stdout).toContain("ActiveState=active");
      expect(timer.stdout).toContain("UnitFileState=enabled");
      expect(timer.stdout).toContain("OnUnitActiveUSec=7min");
      expect(timer.stdout).not.toContain("15min");
      expect((await sh("journalctl -q -b | grep -c 'Bedplate host tuning of'")).stdout).toBe("0");
      expect((await sh(`cat ${READ_AHEAD}`)).stdout).toBe("64");
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "the timer's unit heals what drifted, says so in the journal, and refreshes the metrics",
    async () => {
      expect((await sh(`sysctl -n ${KEY}`)).stdout).toBe("0");
      await quietTimer();
      await sh(`sysctl -qw ${KEY}=1`);
      const invocation = `$(systemctl show ${DRIFT_UNIT} --property=InvocationID)`;
      const earlier = (await sh(`echo "${invocation}"`)).stdout;
      const soon = `/run/systemd/system/${DRIFT_TIMER}.d/soon.conf`;
      await sh(
        `mkdir -p ${soon.slice(0, soon.lastIndexOf("/"))} && printf '[Timer]\\nOnActiveSec=1\\nRandomizedDelaySec=0\\nAccuracySec=1\\n' >${soon} && systemctl daemon-reload && systemctl restart ${DRIFT_TIMER}`,
      );
      const ended = `[ "${invocation}" != "${earlier}" ] && ${IS_IDLE}`;
      expect(await sh(waitFor(ended))).toMatchObject({ exitCode: 0 });
      expect((await sh(`sysctl -n ${KEY}`)).stdout).toBe("0");
      const unit = await sh(`systemctl show ${DRIFT_UNIT} --property=Result,ExecMainStatus`);
      expect(unit.stdout).toBe("Result=success\nExecMainStatus=0");
      const journal = (await sh(`journalctl --no-pager -q -o cat -u ${DRIFT_UNIT}`)).stdout;
      expect(journal).toMatch(new RegExp(`"event":"drift-healed","knob":"${KEY}"`));

      const text = (await lab.vm.readFile(TEXTFILE))?.toString("utf8") ?? "";
      const checked = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
      expect(checked.stdout + checked.stderr).toBe("");
      expect(text).toMatch(/^bedplate_drifted_settings 0$/m);
      expect(text).toMatch(/^bedplate_last_check_timestamp_seconds \d+/m);
      expect(text).toMatch(/^bedplate_cpu_steal_seconds_total \d/m);
      expect(text).toMatch(/^bedplate_softnet_dropped_packets_total \d+$/m);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "names the file whose value came back when systemd-sysctl was restarted",
    async () => {
      await sh(`echo '${KEY} = 1' >/etc/sysctl.d/99-team.conf && systemctl restart systemd-sysctl`);
      const { exitCode, stdout } = await sh(`${HOST_PATHS.command} drift --json`);
      const report = driftReportSchema.parse(JSON.parse(stdout));
      expect(report.entries.map(({ key, action }) => `${key} ${action}`)).toEqual([`${KEY} healed`]);
      expect(report.entries[0]?.suspects[0]).toMatchObject({
        who: "sysctl.d (/etc/sysctl.d/99-team.conf)",
        confidence: "likely",
      });
      expect(report.entries[0]?.suspects[0]?.evidence).toMatch(/systemd-sysctl\.service started at 20/);
      expect(exitCode).toBe(0);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "a disk that is added gets its settings, and nothing else is touched",
    async () => {
      await quietTimer();
      await sh(`sysctl -qw ${KEY}=1`);
      const device = (await sh("readlink -f /sys/block/nvme0n1/device/device")).stdout;
      expect(device).toMatch(/^\/sys\/devices\/pci/);
      await sh(`echo 1 >${device}/remove`);
      expect(await sh(waitFor("[ ! -e /sys/block/nvme0n1 ]"))).toMatchObject({ exitCode: 0 });
      await sh("echo 1 >/sys/bus/pci/rescan");
      const tuned = `[ "$(cat ${READ_AHEAD} 2>/dev/null)" = 64 ]`;
      expect(await sh(waitFor(tuned))).toMatchObject({ exitCode: 0 });
      const idle = `[ "$(systemctl is-active bedplate-device@nvme0n1.service)" = inactive ]`;
      expect(await sh(waitFor(idle))).toMatchObject({ exitCode: 0 });
      const unit = await sh("systemctl show bedplate-device@nvme0n1.service --property=Result");
      expect(unit.stdout).toBe("Result=success");
      // Drift elsewhere is for the timer: this run was for one device.
      expect((await sh(`sysctl -n ${KEY}`)).stdout).toBe("1");
      const report = (await lab.vm.readFile(HOST_PATHS.report))?.toString("utf8") ?? "";
      expect(report).toContain('"key": "queue/read_ahead_kb[nvme0n1]"');
      expect(report).toContain(`"key": "${KEY}"`);
    },
    LAB_TIMEOUT_MILLIS,
  );
});
