import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  artifactUrl,
  bringUp,
  describe as describeVm,
} from "../../../../components/hosts/local-vm/local-vm.ts";
import { findVmProcesses } from "../../../../components/hosts/local-vm/make-vm.ts";
import { endLab, type Lab, LAB_PARTS, LAB_TIMEOUT_MILLIS, startLab } from "../../../helpers/lab-vm.ts";
import { describeWith } from "../../../helpers/needs.ts";

/** 4 MiB that do not compress, so that a cut or mixed-up download shows. */
const ARTIFACT = createHash("shake256", { outputLength: 4 * 1024 * 1024 })
  .update("bedplate")
  .digest();
const SHA256 = createHash("sha256").update(ARTIFACT).digest("hex");

const USER_DATA = `#cloud-config
write_files:
  - path: /root/written
    content: "by cloud-init"
runcmd:
  - [curl, --silent, --show-error, --fail, --output, /root/artifact, "${artifactUrl(SHA256)}"]
`;

describeWith(LAB_PARTS, "bringUp() with a real boot", () => {
  let lab: Lab;
  let files: string;
  let outside: Server;
  let outsidePort: number;

  beforeAll(async () => {
    files = await mkdtemp(join(tmpdir(), "bedplate-artifact-"));
    await writeFile(join(files, "artifact"), ARTIFACT);
    outside = createServer((_, response) => response.end("reached this machine"));
    await new Promise<void>((done) => void outside.listen(0, "127.0.0.1", done));
    const address = outside.address();
    outsidePort = typeof address === "object" ? (address?.port ?? 0) : 0;
    lab = await startLab({
      memoryMiB: 1024,
      userData: USER_DATA,
      artifacts: [{ path: join(files, "artifact"), sha256: SHA256 }],
    });
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
    outside.close();
    await rm(files, { recursive: true, force: true });
  }, 120_000);

  const guest = async (command: string): Promise<string> => (await lab.vm.ssh(command)).stdout.trim();

  test("has the nodes, CPUs, disks and the SR-IOV NIC of its spec", async () => {
    expect(await guest("cat /sys/devices/system/node/online")).toBe("0-1");
    expect(await guest("cat /sys/devices/system/node/node1/cpulist")).toBe("2-3");
    expect(await guest("ls /sys/class/nvme")).toBe("nvme0\nnvme1");
    expect(await guest("cat /sys/class/net/e*/device/sriov_totalvfs")).toMatch(/^[1-9]/);
    expect(await guest("cat /sys/class/net/e*/device/numa_node")).toBe("1");
    expect(await guest("cat /sys/class/nvme/nvme0/device/numa_node")).toBe("0");
  });

  test("ran the user data by cloud-init and fetched the artifact whole", async () => {
    expect((await lab.vm.readFile("/root/written"))?.toString()).toBe("by cloud-init");
    expect(await guest("sha256sum < /root/artifact")).toBe(`${SHA256}  -`);
  });

  test("never lets the guest reach a server of this machine or beyond", async () => {
    for (const host of ["10.0.2.2", "127.0.0.1", "192.0.2.1"]) {
      const { stdout, exitCode } = await lab.vm.ssh(`curl -sS -m 3 http://${host}:${outsidePort}/`);
      expect({ stdout, failed: exitCode !== 0 }).toEqual({ stdout: "", failed: true });
    }
  });

  test("readFile() tells a missing file from an empty one", async () => {
    await lab.vm.ssh("touch /root/empty");
    expect(await lab.vm.readFile("/root/empty")).toEqual(Buffer.alloc(0));
    expect(await lab.vm.readFile("/root/nothing")).toBeUndefined();
  });

  test("finds the running VM when it is called again", { timeout: LAB_TIMEOUT_MILLIS }, async () => {
    const again = await bringUp(lab.vm.state.spec, { stateDir: lab.stateDir });
    expect(again.id).toBe(lab.vm.state.id);
    expect(await findVmProcesses(lab.stateDir)).toHaveLength(1);
  });

  test(
    "reboots into a new boot and runs per-instance user data no second time",
    { timeout: LAB_TIMEOUT_MILLIS },
    async () => {
      const before = await guest("cat /proc/sys/kernel/random/boot_id");
      await lab.vm.ssh("rm /root/written");
      await lab.vm.reboot();
      expect(await guest("cat /proc/sys/kernel/random/boot_id")).not.toBe(before);
      expect(await lab.vm.readFile("/root/written")).toBeUndefined();
    },
  );

  test(
    "keeps what was synced over a power cut, and starts again with it, though QEMU dies in the middle once",
    { timeout: LAB_TIMEOUT_MILLIS },
    async () => {
      await lab.vm.ssh("echo kept > /root/kept && sync");
      await lab.vm.kill();
      expect((await describeVm(lab.stateDir))?.isRunning).toBe(false);
      const said: string[] = [];
      let killed: Promise<void> | undefined;
      const again = await bringUp(lab.vm.state.spec, {
        stateDir: lab.stateDir,
        progress: ({ message }) => {
          said.push(message);
          if (message === "waiting for ssh") killed ??= lab.vm.kill();
        },
      });
      await killed;
      expect(said).toContainEqual(
        expect.stringMatching(
          /^once more\. Cannot reach the guest by ssh: QEMU ended by itself\nEnd of .*qemu\.log/,
        ),
      );
      expect(said.filter((message) => message === "waiting for ssh")).toHaveLength(2);
      expect(again.id).toBe(lab.vm.state.id);
      expect((await lab.vm.readFile("/root/kept"))?.toString()).toBe("kept\n");
    },
  );

  test(
    "is powered off in order to be resized: what it had not written out yet is there afterwards",
    { timeout: LAB_TIMEOUT_MILLIS },
    async () => {
      await guest("sysctl -w vm.dirty_writeback_centisecs=0 && echo unwritten > /root/unwritten");
      const { spec, id } = lab.vm.state;
      const again = await bringUp({ ...spec, memoryMiB: 1280 }, { stateDir: lab.stateDir });
      expect(again.id).toBe(id);
      expect(Number(await guest("awk '/MemTotal/ { print $2 }' /proc/meminfo"))).toBeGreaterThan(1100 * 1024);
      expect((await lab.vm.readFile("/root/unwritten"))?.toString()).toBe("unwritten\n");
      expect(await readFile(join(lab.stateDir, "serial.log"), "utf8")).toContain("reboot: Power down");
    },
  );

  test("leaves no process and no file when it is torn down", { timeout: 120_000 }, async () => {
    await endLab(lab);
    expect(await findVmProcesses(lab.stateDir)).toEqual([]);
    expect(existsSync(lab.stateDir)).toBe(false);
  });
});
