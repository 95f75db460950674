import { afterAll, beforeAll, expect, it } from "vitest";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { parseKernelList } from "../../../host-tuning/sys/kernel-list.ts";
import { agentArtifact, failuresOf, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/**
 * An igb with SR-IOV, its driver and the real tools: every setting of the NIC and of its virtual functions is made, seen
 * drifted and put back. One VM; the tests stand in the order of its life.
 */

const PROFILE = {
  preset: "latency",
  cpu: { reserved: "0-1" },
  allowLowering: true,
  // The lab's network has no gateway, so nothing there could confirm a change that might cut the host off.
  confirm: { gateway: false },
  nics: [{ match: { driver: "igb" }, mtuBytes: 4000 }],
  sriov: [
    {
      match: { driver: "igb" },
      virtualFunctions: 2,
      mtuBytes: 3000,
      macAddresses: ["02:00:00:00:00:01", "02:00:00:00:00:02"],
      vlan: 100,
      trust: true,
    },
  ],
  overrides: {
    "vm.min_free_kbytes": { leave: true, because: "the kernel moves it by itself in so small a guest" },
    "ethtool.channels.combined": { value: 1, because: "fewer than the functions leave" },
    "ethtool.ring.rx": { value: 512, because: "another size than the driver's" },
    "ethtool.ring.tx": { value: 512, because: "another size than the driver's" },
    "ethtool.features.tcp-segmentation-offload": { value: false, because: "its parts have to come back" },
  },
};

/** All that the settings of a NIC are, as the kernel and the tools print it, the names of both kept out of it. */
const SNAPSHOT = `
N=$(ls -d /sys/class/net/*/device/sriov_totalvfs | cut -d/ -f5)
ip -j link show dev $N | sed 's/"operstate":"[A-Z]*"//; s/"flags":[^]]*]//; s/"qdisc":"[a-z]*"//'
for option in -c -g -l -a -k; do ethtool $option $N; done
for file in /sys/class/net/$N/mtu /sys/class/net/$N/tx_queue_len /sys/class/net/$N/queues/*/rps_cpus \\
  /sys/class/net/$N/queues/*/rps_flow_cnt /sys/class/net/$N/queues/tx-*/xps_cpus \\
  /sys/class/net/$N/device/sriov_numvfs /proc/sys/net/core/default_qdisc; do
  echo "$file $(cat $file)"
done`;

/** Takes the address away from the first reset on, until somebody has the link configured anew. */
const LOSE_ADDRESS = `
while [ "$(cat /sys/class/net/$N/carrier)" = 1 ]; do sleep 0.05; done
since=$(date +%s)
until [ $(date +%s) -gt $((since + 120)) ] || journalctl -u systemd-networkd --since "@$since" | grep -q "$N: Configuring with"
do ip -4 address flush dev $N scope global; sleep 0.1; done`;

describeWith(LAB_PARTS, "a NIC and its virtual functions in a VM", () => {
  let lab: Lab;
  let nic: string;
  let atStart: string;

  async function guest(command: string): Promise<string> {
    const { exitCode, stdout, stderr } = await lab.vm.ssh(command, { timeoutMillis: 120_000 });
    if (exitCode !== 0) throw new Error(`${command}: ${stderr}`);
    return stdout.trim();
  }

  function entriesOf(report: HostReport, knob: string): string[] {
    return report.entries
      .filter((entry) => entry.knob === knob)
      .map((entry) => `${entry.target.replace(nic, "nic")} ${entry.outcome} ${entry.found ?? "nothing"}`);
  }

  beforeAll(async () => {
    lab = await startLab({
      cpus: 4,
      memoryMiB: 1024,
      nvmeDisks: [],
      userData: "#cloud-config\n",
      artifacts: [await agentArtifact()],
    });
    nic = await guest("ls -d /sys/class/net/*/device/sriov_totalvfs | cut -d/ -f5");
    atStart = await guest(SNAPSHOT);
    await installAgent(lab.vm, PROFILE);
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  it(
    "makes functions, gives them their settings, and sets what the NIC then has, all in one run",
    async () => {
      const { report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      expect(entriesOf(report, "sriov_numvfs")).toEqual(["nic changed 2"]);
      expect(entriesOf(report, "vf.mac")).toEqual([
        "nic/vf0 changed 02:00:00:00:00:01",
        "nic/vf1 changed 02:00:00:00:00:02",
      ]);
      expect(entriesOf(report, "vf.vlan")).toEqual(["nic/vf0 changed 100", "nic/vf1 changed 100"]);
      expect(entriesOf(report, "vf.trust")).toEqual(["nic/vf0 changed on", "nic/vf1 changed on"]);
      expect(entriesOf(report, "vf.mtu")).toEqual(["nic/vf0 changed 3000", "nic/vf1 changed 3000"]);
      expect(entriesOf(report, "vf.driver")).toEqual([
        "nic/vf0 already-right igbvf",
        "nic/vf1 already-right igbvf",
      ]);
      expect(entriesOf(report, "ethtool.channels.combined")).toContain("nic changed 1");
      expect(entriesOf(report, "mtu")).toEqual(["nic changed 4000"]);
      expect(entriesOf(report, "ethtool.coalesce.rx-usecs")).toContain("nic changed 0");
      expect(entriesOf(report, "ethtool.ring.rx")).toContain("nic changed 512");
      expect(entriesOf(report, "ethtool.ring.tx")).toContain("nic changed 512");
      expect(entriesOf(report, "ethtool.features.tcp-segmentation-offload")).toContain("nic changed off");

      const link = await guest(`ip link show dev ${nic}`);
      expect(link).toMatch(/vf 0 .*02:00:00:00:00:01.*vlan 100.*trust on/);
      expect(link).toMatch(/vf 1 .*02:00:00:00:00:02.*vlan 100.*trust on/);
      expect(await guest(`cat /sys/class/net/${nic}/device/virtfn*/net/*/mtu`)).toBe("3000\n3000");
      expect(await guest(`ethtool -l ${nic} | tail -1`)).toMatch(/Combined:\s+1$/);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "changes nothing a second time, and has no interrupt in its report that is gone",
    async () => {
      const { report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      expect(report.entries.filter(({ outcome }) => outcome === "changed")).toEqual([]);
      const irqs = (await guest("ls /proc/irq")).split(/\s+/);
      for (const { target } of report.entries.filter(({ knob }) => knob === "irq/smp_affinity_list")) {
        // "irq 24", or all of a disk's: "nvme0 irqs 41-42".
        const named = parseKernelList(/ ?irqs? ([\d,-]+)$/.exec(target)?.[1] ?? "");
        expect(named, target).not.toEqual([]);
        for (const irq of named ?? [target]) expect(irqs, target).toContain(`${irq}`);
      }
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "finds each setting that was changed by hand",
    async () => {
      await guest(
        [
          `ip link set dev ${nic} vf 1 mac 02:00:00:00:00:99`,
          `ip link set dev ${nic} vf 0 vlan 7`,
          `ip link set dev ${nic} vf 0 trust off`,
          `ethtool -C ${nic} rx-usecs 100`,
          `ethtool -G ${nic} rx 1024`,
          `ethtool -K ${nic} tx-tcp-segmentation on`,
          `ip link set dev ${nic} mtu 1500`,
        ].join(" && "),
      );
      const { exitCode, report } = await runAgent(lab.vm, "verify");
      expect(exitCode).toBe(3);
      const drifted = report.entries.filter(({ isDrifted }) => isDrifted).map(({ key }) => key);
      expect(drifted.map((key) => key.replace(nic, "nic")).toSorted()).toEqual([
        "ethtool.coalesce.rx-usecs[nic]",
        "ethtool.features.tcp-segmentation-offload[nic]",
        "ethtool.ring.rx[nic]",
        "mtu[nic]",
        "vf.mac[nic/vf1]",
        "vf.trust[nic/vf0]",
        "vf.vlan[nic/vf0]",
      ]);
      expect(failuresOf((await runAgent(lab.vm, "apply")).report)).toEqual([]);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "puts everything back as it was, to the byte",
    async () => {
      const { report } = await runAgent(lab.vm, "rollback");
      expect(failuresOf(report)).toEqual([]);
      expect((await guest(SNAPSHOT)).split("\n")).toEqual(atStart.split("\n"));
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "brings back the address that a reset has cost the NIC",
    async () => {
      // The real cause is a race (systemd-networkd gives up a link whose kernel was too busy to answer it); its end is the same.
      await lab.vm.ssh(`systemd-run --quiet /bin/sh -c '${LOSE_ADDRESS.replaceAll("$N", nic)}'`);
      const { report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      expect(report.network).toMatchObject([{ device: nic, families: ["IPv4"], state: "brought-back" }]);
      expect(report.network?.[0]?.because).toContain(`networkctl reconfigure ${nic}`);
      expect(await guest(`ip -4 -br address show dev ${nic}`)).toMatch(/ UP +10\.0\.2\.15\/24/);
      expect(failuresOf((await runAgent(lab.vm, "rollback")).report)).toEqual([]);
    },
    LAB_TIMEOUT_MILLIS,
  );
});
