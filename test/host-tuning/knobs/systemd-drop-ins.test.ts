import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { type Part, describeWith, program } from "../../helpers/needs.ts";

/** What the knobs write, and what systemd itself makes of it after a unit that says otherwise. */
const EXPECTED: Readonly<Record<string, { value: string; settings: readonly string[] }>> = {
  "systemd.CPUWeight": { value: "1000", settings: ["CPUWeight: 1000"] },
  "systemd.IOWeight": { value: "1000", settings: ["IOWeight: 1000"] },
  "systemd.LimitMEMLOCK": {
    value: "4096:1048576",
    settings: ["LimitMEMLOCK: 1048576", "LimitMEMLOCKSoft: 4096"],
  },
  "systemd.MemoryHigh": { value: "5368709120", settings: ["MemoryHigh: 5368709120"] },
  "systemd.MemoryMax": { value: "6442450944", settings: ["MemoryMax: 6442450944"] },
  "systemd.NetworkNamespaceSysctls": {
    value: "net.core.somaxconn=65536; net.ipv4.tcp_rmem=4096 131072 6291456",
    settings: [
      'Command Line: sysctl -e -q -w net.core.somaxconn=65536 "net.ipv4.tcp_rmem=4096 131072 6291456"',
    ],
  },
  "systemd.OOMScoreAdjust": { value: "-500", settings: ["OOMScoreAdjust: -500"] },
  "systemd.Slice": { value: "bedplate.slice", settings: ["Slice: bedplate.slice"] },
  "systemd.TasksMax": { value: "1536", settings: ["TasksMax: 1536"] },
  "systemd.slice.AllowedCPUs": { value: "2-3", settings: ["AllowedCPUs: 2-3"] },
  "systemd.AllowedCPUs": { value: "9-15,20", settings: ["AllowedCPUs: 9-15 20"] },
  "systemd.LimitNOFILE": {
    value: "8192:524288",
    settings: ["LimitNOFILE: 524288", "LimitNOFILESoft: 8192"],
  },
  "systemd.NUMAPolicy": { value: "preferred:1", settings: ["NUMAPolicy: preferred", "NUMAMask: 1"] },
};

const UNIT =
  "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/true\nAllowedCPUs=0-3\nNUMAPolicy=bind\nNUMAMask=0\nLimitNOFILE=100\nLimitMEMLOCK=100\nTasksMax=10\nCPUWeight=7\nIOWeight=7\nMemoryHigh=1G\nMemoryMax=2G\nOOMScoreAdjust=3\nSlice=user.slice\n";

/** systemd's manager in its test mode, which loads units, prints them and starts nothing; it refuses to run as root. */
function dumpOf(dropIn: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), "bedplate-unit-"));
  try {
    mkdirSync(join(folder, "x.service.d"));
    mkdirSync(join(folder, "no-generators"));
    writeFileSync(join(folder, "x.service"), UNIT);
    writeFileSync(join(folder, "x.service.d/50-bedplate.conf"), dropIn);
    chmodSync(folder, 0o777);
    const systemd = ["/lib/systemd/systemd", "--test", "--system", "--unit=x.service", "--no-pager"];
    const asNobody =
      process.getuid?.() === 0 ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] : [];
    const [command = "", ...args] = [...asNobody, ...systemd];
    const run = spawnSync(command, args, {
      encoding: "utf8",
      timeout: 60_000,
      env: {
        PATH: process.env["PATH"],
        SYSTEMD_UNIT_PATH: folder,
        SYSTEMD_GENERATOR_PATH: join(folder, "no-generators"),
        XDG_RUNTIME_DIR: folder,
      },
    });
    if (run.error !== undefined) return [];
    return run.stdout.split("\n").map((line) => line.trim());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const TEST_MODE: Part = {
  name: "systemd's test mode",
  howToGet: "apt-get install systemd util-linux",
  isThere: () => dumpOf("").includes("AllowedCPUs: 0-3"),
};

const knobs = KNOBS.filter((knob) => knob.family === "systemd");

/** Text of a knob's drop-in. */
function dropInOf(id: string): string {
  const knob = knobs.find((candidate) => candidate.id === id);
  const value = knob?.value.parse(EXPECTED[id]?.value);
  const writes = knob?.writes(value, { name: "x.service" }, "") ?? [];
  const write = writes.find(
    (candidate) => candidate.kind === "config-file" && candidate.path.includes("/x.service.d/"),
  );
  if (write?.kind !== "config-file") throw new Error(`${id} writes no drop-in`);
  return write.text;
}

describeWith([TEST_MODE], "drop-ins as systemd loads them", () => {
  it.each(knobs.map((knob) => knob.id))("%s: replaces what the unit said", (id) => {
    expect(dumpOf(dropInOf(id))).toEqual(expect.arrayContaining([...(EXPECTED[id]?.settings ?? ["none"])]));
  });
});

describeWith(
  [program("systemd-analyze", "apt-get install systemd")],
  "drop-ins as systemd checks them",
  () => {
    function complaintsAbout(settings: string): string {
      const folder = mkdtempSync(join(tmpdir(), "bedplate-unit-"));
      try {
        const unit = join(folder, "x.service");
        writeFileSync(unit, `[Service]\nExecStart=/bin/true\n${settings}`);
        const run = spawnSync("systemd-analyze", ["verify", unit], { encoding: "utf8", timeout: 60_000 });
        // Other units of the machine may have faults of their own.
        return run.stderr
          .split("\n")
          .filter((line) => line.includes(unit))
          .join("\n");
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    }

    it.each(knobs.map((knob) => knob.id))("%s: no fault", (id) => {
      expect(complaintsAbout(dropInOf(id))).toBe("");
    });

    it("finds the fault in a setting that is wrong", () => {
      expect(complaintsAbout("AllowedCPUs=zz\n")).toContain("Failed to parse");
    });
  },
);
