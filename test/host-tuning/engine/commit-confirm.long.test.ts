import { writeFile } from "node:fs/promises";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { type JournalRecord, parseRecord } from "../../../host-tuning/engine/journal-records.ts";
import { JOURNAL_PATH } from "../../../host-tuning/engine/journal.ts";
import type { HostStatus } from "../../../host-tuning/engine/status-of.ts";
import { bundleProgram } from "../../../tools/archive/bundle.ts";
import { agentArtifact, installAgent } from "../../helpers/lab-agent.ts";
import { type Lab, LAB_PARTS, LAB_TIMEOUT_MILLIS, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/** Bounds a wait in a guest that shares emulated CPUs with whatever else runs. */
const RETURN_MILLIS = 600_000;

const PROGRAM = "/root/cut-off.cjs";

const VFS = { sriov: [{ match: { driver: "igb" }, virtualFunctions: 2 }] };

describeWith(LAB_PARTS, "a host that cuts itself off", () => {
  let lab: Lab;
  let nic: string;

  beforeAll(async () => {
    lab = await startLab({
      cpus: 2,
      numaNodes: 1,
      memoryMiB: 1024,
      nvmeDisks: [],
      userData: "#cloud-config\n",
      artifacts: [await agentArtifact()],
    });
    await installAgent(lab.vm, {});
    const { code } = await bundleProgram(
      path.resolve(import.meta.dirname, "../../.."),
      "test/host-tuning/engine/cut-off-program.ts",
    );
    const bundle = path.join(lab.stateDir, "cut-off.cjs");
    await writeFile(bundle, code);
    await lab.vm.copyIn(bundle, PROGRAM);
    nic = (await lab.vm.ssh("basename /sys/bus/pci/drivers/igb/*/net/*")).stdout.trim();
    expect(nic).not.toBe("");
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  async function status(): Promise<HostStatus> {
    return JSON.parse((await lab.vm.ssh(`${HOST_PATHS.command} status --json`)).stdout) as HostStatus;
  }

  async function journal(): Promise<JournalRecord[]> {
    const text = (await lab.vm.readFile(JOURNAL_PATH))?.toString("utf8") ?? "";
    return text
      .trim()
      .split("\n")
      .flatMap((line, index) => {
        const parsed = parseRecord(line, index + 1);
        expect(Array.isArray(parsed), line).toBe(false);
        return parsed as JournalRecord;
      });
  }

  /** The gateway that QEMU's user network has; without a default route there would be none to lose. */
  async function cutOff(...args: string[]): Promise<void> {
    await lab.vm.ssh(
      `rm -rf /var/lib/bedplate; ip route replace default via 10.0.2.2; systemd-run --quiet --collect ${HOST_PATHS.node} ${PROGRAM} ${nic} ${args.join(" ")}`,
      { timeoutMillis: 60_000 },
    );
  }

  /** Until nobody waits for a confirmation any more; the VM does not answer in between. */
  async function untilSettled(): Promise<JournalRecord[]> {
    const untilMillis = performance.now() + RETURN_MILLIS;
    while (performance.now() < untilMillis) {
      const text = (await lab.vm.readFile(JOURNAL_PATH).catch(() => undefined))?.toString("utf8");
      if (text?.includes('"settled"') === true) return await journal();
      await sleep(2000);
    }
    throw new Error("the VM has not come back");
  }

  it(
    "a profile that takes the NIC's link down: the host comes back by itself, and says what happened",
    async () => {
      await cutOff("20");
      const records = await untilSettled();
      expect(records.map(({ record }) => record)).toEqual(["pending", "step", "outcome", "settled"]);
      expect(records.at(-2)).toMatchObject({ outcome: "changed", foundText: "down" });
      expect(records.at(-1)).toMatchObject({
        how: "taken-back",
        refused: [{ key: `demo.link[${nic}]`, valueText: "down" }],
      });
      expect((await lab.vm.ssh(`cat /sys/class/net/${nic}/flags`)).stdout.trim()).toBe("0x1003");
      const { entries, pending, takenBack } = await status();
      expect({ entries, pending }).toEqual({ entries: [], pending: [] });
      expect(takenBack).toMatchObject([{ key: `demo.link[${nic}]`, value: "down" }]);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it.each([
    ["armed", []],
    ["written", ["demo.link"]],
  ])(
    "killed (-9) when %s: the timer of process 1 brings it back",
    async (moment, takenBack) => {
      await cutOff("20", moment);
      if (moment === "armed") {
        // Nothing is on record yet, and the timer finds nothing to take back.
        await lab.vm.ssh(
          "for i in $(seq 300); do systemctl list-units --no-legend 'bedplate-revert*' | grep -q . || break; sleep 1; done",
          { timeoutMillis: RETURN_MILLIS },
        );
        expect(await lab.vm.readFile(JOURNAL_PATH)).toBeUndefined();
      } else {
        const records = await untilSettled();
        expect(records.map(({ record }) => record)).toEqual(["pending", "step", "settled"]);
      }
      expect((await lab.vm.ssh(`cat /sys/class/net/${nic}/flags`)).stdout.trim()).toBe("0x1003");
      expect((await status()).takenBack).toHaveLength(takenBack.length);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "a boot takes back what the one before left unconfirmed, and confirms what its own profile brings",
    async () => {
      const profile = (confirm: object): string =>
        JSON.stringify({ apiVersion: "bedplate/v1", kind: "HostProfile", ...VFS, confirm });
      const put = async (text: string): Promise<void> => {
        await lab.vm.ssh(`cat > ${HOST_PATHS.profile}`, { input: text });
      };
      await put(profile({ gateway: false, probes: ["127.0.0.1:1"], timeoutSeconds: 3600 }));
      await lab.vm.ssh(
        `rm -rf /var/lib/bedplate; cp ${HOST_PATHS.agentUnits}/bedplate*.service ${HOST_PATHS.unitFolder}/
systemctl daemon-reload; systemctl enable bedplate-early.service bedplate.service
${HOST_PATHS.command} apply --phase early`,
        { timeoutMillis: RETURN_MILLIS },
      );
      expect((await status()).pending).toMatchObject([{ state: "waiting" }]);
      await put(profile({ gateway: false, timeoutSeconds: 600 }));
      await lab.vm.ssh("sync");
      await lab.vm.reboot();
      await lab.vm.ssh("systemctl is-system-running --wait", { timeoutMillis: RETURN_MILLIS });
      const settled = (await journal()).filter((record) => record.record === "settled");
      expect(settled).toMatchObject([
        { how: "taken-back" },
        { how: "confirmed", because: "no gateway or probe to ask" },
      ]);
      const units = await lab.vm.ssh("systemctl is-active bedplate-early.service bedplate.service");
      expect(units.stdout).toBe("active\nactive\n");
      expect((await lab.vm.ssh(`cat /sys/class/net/${nic}/device/sriov_numvfs`)).stdout).toBe("2\n");
      expect((await status()).pending).toEqual([]);
      const timers = await lab.vm.ssh("systemctl list-units --all --no-legend 'bedplate-revert*'");
      expect(timers.stdout).toBe("");
    },
    LAB_TIMEOUT_MILLIS,
  );
});
