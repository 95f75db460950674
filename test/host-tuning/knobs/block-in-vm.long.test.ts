import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { HostPlan } from "../../../host-tuning/engine/host-plan.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { buildArchives } from "../../../tools/archive/build-archives.ts";
import { endLab, type Lab, LAB_PARTS, LAB_TIMEOUT_MILLIS, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/**
 * Real disks of a real kernel, in the order of a host's life: a disk that holds data is refused, blank ones become the
 * instance store, a reboot finds it again, rollback and a second apply keep its files. Beside it a dual-port disk, whose
 * multipath head takes a scheduler without an error and without effect, and a GPU that only its PCI function shows.
 */

const AGENT = "/opt/bedplate/bin/bedplate";
const MOUNT = "/mnt/fast-disk";
const COMMAND_TIMEOUT_MILLIS = 900_000;

const PROFILE = `apiVersion: bedplate/v1
kind: HostProfile
nvme: { layout: raid0, mountPath: ${MOUNT}, models: ["QEMU NVMe Ctrl"] }
consent: [irreversible, data-loss]
overrides:
  queue/scheduler: { value: mq-deadline, because: "to see what a multipath head makes of it" }
`;

/** What the fake GPU is: an H100's ids and class, on node 1. */
const FAKE_GPU = "devs=10de:2330:030200 node=1";

interface Line {
  readonly key: string;
  readonly outcome: string;
  readonly found: string | null;
  readonly because: string;
}

describeWith(LAB_PARTS, "disks and a GPU in the lab", () => {
  let lab: Lab;
  let files: string;
  /** Heads of the two disks; controllers are numbered in the order in which they answer. */
  let blank = "";
  let precious = "";

  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), "bedplate-block-"));
    await writeFile(join(files, "profile.yaml"), PROFILE);
    const { agent } = await buildArchives({ architecture: "x86_64" });
    lab = await startLab({
      memoryMiB: 2048,
      userData: "#cloud-config\n{}\n",
      nvmeDisks: [
        { sizeMiB: 512, numaNode: 0 },
        { sizeMiB: 512, numaNode: 1, controllers: 2 },
      ],
      image: { extraPackages: ["gcc", "linux-headers-amd64", "make", "mdadm", "xfsprogs"] },
      kernelArguments: ["nvme_core.multipath=Y"],
    });
    await lab.vm.copyIn(agent.path, "/root/agent.tar.gz");
    await lab.vm.copyIn(join(files, "profile.yaml"), "/root/profile.yaml");
    const module = resolve(import.meta.dirname, "../../fixtures/kernel-modules/fakepci.c");
    await lab.vm.copyIn(module, "/root/fakepci.c");
    await guest("mkdir -p /opt/bedplate && tar xzf /root/agent.tar.gz -C /opt/bedplate");
    [blank = "", precious = ""] = (await guest("ls /sys/block | grep -E '^nvme[0-9]+n1$'")).split("\n");
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
    await rm(files, { recursive: true, force: true });
  }, 120_000);

  async function guest(command: string): Promise<string> {
    const result = await lab.vm.ssh(command, { timeoutMillis: COMMAND_TIMEOUT_MILLIS });
    expect(result.exitCode, `${command}: ${result.stderr}`).toBe(0);
    return result.stdout.trim();
  }

  async function agent(line: string): Promise<unknown> {
    const { stdout, stderr } = await lab.vm.ssh(`${AGENT} ${line} --json`, {
      timeoutMillis: COMMAND_TIMEOUT_MILLIS,
    });
    expect(stdout, stderr).not.toBe("");
    return JSON.parse(stdout);
  }

  async function apply(): Promise<Line[]> {
    return ((await agent("apply --profile /root/profile.yaml")) as HostReport).entries;
  }

  const ofStore = (lines: readonly Line[]): Record<string, string> =>
    Object.fromEntries(
      lines
        .filter(({ key }) => key.startsWith("nvme."))
        .map(({ key, outcome }) => [key.replace(/\[.*/, ""), outcome]),
    );

  /** For the message of a failed expectation. */
  const reasons = (lines: readonly Line[]): string =>
    lines
      .filter(({ key, outcome }) => key.startsWith("nvme.") && outcome === "failed")
      .map(({ because }) => because)
      .join("\n");

  it(
    "refuses a disk that holds data, by name, and writes to none",
    async () => {
      await guest(`echo precious | dd of=/dev/${precious} bs=4096 seek=20 conv=notrunc`);
      const before = await guest(`sha256sum /dev/${blank} /dev/${precious}`);
      const lines = await apply();
      expect(ofStore(lines)).toEqual({
        "nvme.array": "failed",
        "nvme.filesystem": "failed",
        "nvme.mount": "failed",
      });
      expect(lines.find(({ key }) => key.startsWith("nvme.array"))?.because).toContain(
        `${precious} has no signature but is not blank`,
      );
      expect(await guest(`sha256sum /dev/${blank} /dev/${precious}`)).toBe(before);
      expect(await guest(`test ! -e ${MOUNT}; cat /proc/mdstat 2>/dev/null || true`)).not.toContain("active");

      // The same run: what a scheduler does on a multipath head, and on its two paths.
      const schedulers = Object.fromEntries(
        lines
          .filter(({ key }) => key.startsWith("queue/scheduler[nvme"))
          .map((line) => [line.key.slice("queue/scheduler[".length, -1), line]),
      );
      const heads = Object.keys(schedulers).filter((name) => /^nvme\d+n1$/.test(name));
      const paths = Object.keys(schedulers).filter((name) => /^nvme\d+c\d+n1$/.test(name));
      expect(heads.length).toBeGreaterThan(0);
      expect(paths.length).toBeGreaterThan(heads.length);
      for (const name of heads) {
        expect(schedulers[name]).toMatchObject({ outcome: "failed", found: "none" });
        expect(schedulers[name]?.because).toContain(
          "Cannot set queue/scheduler of " +
            name +
            ' to "mq-deadline": the host holds "none" after the write',
        );
        expect(await guest(`cat /sys/block/${name}/queue/scheduler`)).toBe("none");
      }
      for (const name of paths) expect(schedulers[name]).toMatchObject({ found: "mq-deadline" });
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "makes blank disks into one array, file system and mount, aligned, and finds them right again",
    async () => {
      await guest(`dd if=/dev/zero of=/dev/${precious} bs=4096 seek=20 count=1 conv=notrunc`);
      const made = await apply();
      expect(ofStore(made), reasons(made)).toEqual({
        "nvme.array": "changed",
        "nvme.filesystem": "changed",
        "nvme.mount": "changed",
      });
      expect(await guest(`grep ' ${MOUNT} ' /proc/mounts`)).toMatch(/ xfs rw,.*noatime/);
      expect(await guest("cat /sys/block/md*/md/level")).toBe("raid0");
      expect(await guest("cat /sys/block/md*/md/chunk_size")).toBe("524288");
      expect(await guest(`xfs_info ${MOUNT}`)).toMatch(/sunit=128\s+swidth=256 blks/);
      const unit = await guest(`systemd-escape --path --suffix=mount ${MOUNT}`);
      expect(await guest(`systemctl is-active '${unit}'`)).toBe("active");
      await guest(`echo kept > ${MOUNT}/file && sync`);
      expect(ofStore(await apply())).toEqual({
        "nvme.array": "already-right",
        "nvme.filesystem": "already-right",
        "nvme.mount": "already-right",
      });
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "takes the mount and the array back, keeps what they hold, and puts them together again",
    async () => {
      const report = (await agent("rollback")) as HostReport;
      expect(
        report.entries.filter(({ outcome }) => outcome === "failed").map(({ because }) => because),
      ).toEqual([]);
      expect(await guest(`grep -c ' ${MOUNT} ' /proc/mounts || true`)).toBe("0");
      expect(await guest("ls /etc/systemd/system | grep -c fast || true")).toBe("0");
      expect(await guest("cat /proc/mdstat")).not.toContain("active");
      const again = await apply();
      expect(ofStore(again), reasons(again)).toEqual({
        "nvme.array": "changed",
        "nvme.filesystem": "already-right",
        "nvme.mount": "changed",
      });
      expect(await guest(`cat ${MOUNT}/file`)).toBe("kept");
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "comes up mounted after a reboot, with nothing left to do",
    async () => {
      await lab.vm.reboot();
      // A boot under emulation is slow; the mount comes with its device.
      await guest(`timeout 300 sh -c 'until grep -q " ${MOUNT} " /proc/mounts; do sleep 1; done'`);
      const plan = (await agent("plan --profile /root/profile.yaml")) as HostPlan;
      const steps = plan.steps.filter(({ key }) => key.startsWith("nvme."));
      expect(steps.map(({ knob, action }) => `${knob} ${action}`)).toEqual([
        "nvme.array already-right",
        "nvme.filesystem already-right",
        "nvme.mount already-right",
      ]);
      expect(await guest(`cat ${MOUNT}/file`)).toBe("kept");
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "sees a GPU on its node and its slowed link, and says why nothing can be set there",
    async () => {
      await guest("mkdir -p /root/fakepci && cp /root/fakepci.c /root/fakepci/");
      await guest('echo "obj-m := fakepci.o" > /root/fakepci/Makefile');
      await guest("make -s -C /usr/src/linux-headers-$(uname -r) M=/root/fakepci modules");
      await guest(`insmod /root/fakepci/fakepci.ko ${FAKE_GPU}`);
      const facts = (await agent("facts")) as HostFacts;
      expect(facts.gpus).toMatchObject([
        {
          pciAddress: "0010:00:00.0",
          vendor: "NVIDIA",
          deviceId: "2330",
          node: 1,
          driver: null,
          linkWidth: 16,
          maxLinkWidth: 16,
          linkSpeed: "16.0 GT/s PCIe",
          maxLinkSpeed: "32.0 GT/s PCIe",
        },
      ]);
      const plan = (await agent("plan --profile /root/profile.yaml")) as HostPlan;
      const step = plan.steps.find(({ knob }) => knob === "nvidia.persistence_mode");
      expect(step).toMatchObject({
        target: "0010:00:00.0",
        action: "unsupported",
        because: "no driver is bound to 0010:00:00.0; nvidia-smi is not installed",
      });
    },
    LAB_TIMEOUT_MILLIS,
  );
});
