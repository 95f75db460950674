import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { describeWith, program } from "../../helpers/needs.ts";

const VALUES: Readonly<Record<string, unknown>> = {
  "systemd.AllowedCPUs": "9-15,20",
  "systemd.LimitNOFILE": "8192:524288",
  "systemd.NUMAPolicy": "preferred:1",
};

describeWith(
  [program("systemd-analyze", "apt-get install systemd")],
  "drop-ins as systemd reads them",
  () => {
    const knobs = KNOBS.filter((knob) => knob.family === "systemd");

    async function complaints(settings: string): Promise<string> {
      const folder = await mkdtemp(join(tmpdir(), "bedplate-unit-"));
      try {
        const unit = join(folder, "x.service");
        await writeFile(unit, `[Service]\nExecStart=/bin/true\n${settings}`);
        const run = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8", timeout: 60_000 });
        // Other units of the machine may have faults of their own.
        return run.stderr
          .split("\n")
          .filter((line) => line.includes(unit))
          .join("\n");
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }

    it.each(knobs.map((knob) => ({ id: knob.id, knob })))(
      "$id: systemd finds no fault",
      async ({ id, knob }) => {
        const [write] = knob.writes(knob.value.parse(VALUES[id]), { name: "x.service" }, "");
        if (write?.kind !== "config-file") throw new Error(`${id} writes no drop-in`);
        expect(await complaints(write.text)).toBe("");
      },
    );

    it("finds the fault in a setting that is wrong", async () => {
      expect(await complaints("AllowedCPUs=zz\n")).toContain("Failed to parse");
    });
  },
);
