import { execFileSync, spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { expect, it } from "vitest";
import { type Part, ROOT_USER, describeWith, program } from "../../helpers/needs.ts";
import type { RoundResult } from "./nic-round.ts";

/** Two ends of a virtual cable with two queues each, in a network namespace with a /sys that shows it. */
const SCRIPT =
  'mount -t sysfs sysfs /sys && ip link add v0 numtxqueues 2 numrxqueues 2 type veth peer name v1 numtxqueues 2 numrxqueues 2 && exec "$@"';
const INSIDE = ["--net", "--mount", "--", "sh", "-c", SCRIPT, "sh"];

const VETH: Part = {
  name: "veth in a network namespace",
  howToGet: "run as root on a kernel with CONFIG_VETH",
  isThere: () => spawnSync("unshare", [...INSIDE, "true"], { timeout: 20_000 }).status === 0,
};

describeWith(
  [ROOT_USER, VETH, program("ethtool", "apt install ethtool")],
  "settings of an interface, on a real kernel",
  () => {
    it("are written, read back and taken back", () => {
      const round = resolve(import.meta.dirname, "nic-round.ts");
      const output = execFileSync("unshare", [...INSIDE, process.execPath, round, "v0"], {
        encoding: "utf8",
        timeout: 60_000,
      });
      const result = JSON.parse(output) as RoundResult;
      expect(result["mtu"]).toEqual([1500, 9000, 1500]);
      expect(result["tx_queue_len"]).toEqual([1000, 2048, 1000]);
      expect(result["rps_flow_cnt"]).toEqual([0, 4096, 0]);
      for (const id of ["rps_cpus", "xps_cpus"]) {
        const [before, after, back] = result[id] ?? [];
        expect(after, id).toMatch(/^[0,]*1$/);
        expect(before, id).toMatch(/^[0,]+$/);
        expect(back, id).toBe(before);
      }
      expect(result["ethtool.features.generic-receive-offload"]).toMatchObject([
        { isOn: false },
        { isOn: true },
        { isOn: false },
      ]);
      const [before, off, back] = result["ethtool.features.tcp-segmentation-offload"] ?? [];
      expect(off).toMatchObject({ isOn: false });
      expect(back).toEqual(before);
    });
  },
);
