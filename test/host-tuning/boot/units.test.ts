import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { describe, expect, it, onTestFinished } from "vitest";
import { renderServiceUnit, serviceSettingsSchema } from "../../../components/user-data/service-unit.ts";
import {
  DEVICE_UNIT,
  DRIFT_TIMER,
  DRIFT_UNIT,
  EARLY_UNIT,
  HOST_PATHS,
  LATE_UNIT,
  SERVICE_UNIT,
} from "../../../host-tuning/boot/paths.ts";
import { renderUdevRules } from "../../../host-tuning/boot/udev-rules.ts";
import {
  renderDeviceUnit,
  renderDriftInterval,
  renderDriftTimer,
  renderDriftUnit,
  renderEarlyUnit,
  renderLateUnit,
} from "../../../host-tuning/boot/units.ts";
import { describeWith, program } from "../../helpers/needs.ts";

/** The order that cloud-init 22.4 and ifupdown have on Debian 12, and a mount that cloud-init wrote into fstab. */
const FIRST_BOOT_UNITS = {
  "cloud-init-local.service":
    "[Unit]\nDefaultDependencies=no\nWants=network-pre.target\nAfter=systemd-remount-fs.service\nBefore=network-pre.target shutdown.target sysinit.target\nRequiresMountsFor=/var/lib/cloud\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
  "cloud-init.service":
    "[Unit]\nDefaultDependencies=no\nWants=cloud-init-local.service\nAfter=cloud-init-local.service networking.service\nBefore=network-online.target sysinit.target shutdown.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
  "networking.service":
    "[Unit]\nDefaultDependencies=no\nAfter=local-fs.target network-pre.target\nBefore=network.target shutdown.target\nWants=network.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
  "cloud-final.service":
    "[Unit]\nAfter=network-online.target multi-user.target\nWants=network-online.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n",
} as const;

const OWN_UNITS = {
  [EARLY_UNIT]: renderEarlyUnit(),
  [LATE_UNIT]: renderLateUnit(),
  [DRIFT_UNIT]: renderDriftUnit(),
  [DRIFT_TIMER]: renderDriftTimer(),
  [DEVICE_UNIT.replace("@", "@nvme1n1")]: renderDeviceUnit(),
  [SERVICE_UNIT]: renderServiceUnit(serviceSettingsSchema.parse({ allowedHosts: ["mcp.example"] })),
};

function directive(unit: string, name: string): string[] {
  return unit
    .split("\n")
    .filter((line) => line.startsWith(`${name}=`))
    .map((line) => line.slice(name.length + 1));
}

describe("renderEarlyUnit()", () => {
  it("matches the reviewed text", async () => {
    await expect(renderEarlyUnit()).toMatchFileSnapshot("../../golden/units/bedplate-early.service");
  });

  it("never orders itself after a target that waits for cloud-init", () => {
    const unit = renderEarlyUnit();
    expect(directive(unit, "DefaultDependencies")).toEqual(["no"]);
    expect(directive(unit, "PrivateTmp"), "it would order the unit after local-fs.target").toEqual([]);
    expect(directive(unit, "After").join(" ")).not.toMatch(/\.target|cloud-/);
  });
});

describe("renderLateUnit()", () => {
  it("matches the reviewed text", async () => {
    await expect(renderLateUnit()).toMatchFileSnapshot("../../golden/units/bedplate.service");
  });

  it("never waits for the cloud-init step that starts it", () => {
    const waitsFor = [
      ...directive(renderLateUnit(), "After"),
      ...directive(renderLateUnit(), "Requires"),
    ].join(" ");
    expect(waitsFor).not.toMatch(/cloud-|multi-user/);
  });
});

describe("renderDriftUnit() and its timer", () => {
  it("match the reviewed text", async () => {
    await expect(renderDriftUnit()).toMatchFileSnapshot("../../golden/units/bedplate-drift.service");
    await expect(renderDriftTimer()).toMatchFileSnapshot("../../golden/units/bedplate-drift.timer");
  });

  it("renderDriftInterval() clears the times of the unit and names both anew", () => {
    expect(renderDriftInterval(5)).toBe("[Timer]\nOnBootSec=\nOnBootSec=5min\nOnUnitActiveSec=5min\n");
  });
});

describe("renderDeviceUnit() and the udev rules", () => {
  it("match the reviewed text", async () => {
    await expect(renderDeviceUnit()).toMatchFileSnapshot("../../golden/units/bedplate-device@.service");
    await expect(renderUdevRules()).toMatchFileSnapshot("../../golden/units/90-bedplate.rules");
  });

  it("never runs anything inside udev", () => {
    expect(renderUdevRules()).not.toMatch(/RUN|PROGRAM|IMPORT/);
  });
});

describe("renderServiceUnit()", () => {
  it("keeps a value's special characters from systemd", () => {
    const settings = serviceSettingsSchema.parse({});
    expect(renderServiceUnit({ ...settings, allowedHosts: ['a%b"c\\d'] })).toContain(
      String.raw`Environment="ALLOWED_HOSTS=a%%b\"c\\d"`,
    );
  });

  it("gives the last call more time than it may take", () => {
    const unit = renderServiceUnit(serviceSettingsSchema.parse({ longestCallSeconds: 300 }));
    expect(directive(unit, "TimeoutStopSec")).toEqual(["310"]);
  });
});

describeWith([program("systemd-analyze", "apt-get install systemd")], "systemd-analyze verify", () => {
  /** What systemd says about these units, started with everything that a first boot starts. */
  async function verify(units: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), "bedplate-units-"));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    for (const wants of ["sysinit.target.wants", "multi-user.target.wants", "timers.target.wants"])
      await mkdir(path.join(folder, wants));
    for (const [name, text] of Object.entries(units)) {
      await writeFile(path.join(folder, name), text.replaceAll(HOST_PATHS.node, process.execPath));
      const wants = directive(text, "WantedBy")[0] ?? "multi-user.target";
      await symlink(`../${name}`, path.join(folder, `${wants}.wants`, name));
    }
    const run = await execa(
      "systemd-analyze",
      [
        "verify",
        "--man=no",
        "multi-user.target",
        ...Object.keys(OWN_UNITS).map((name) => path.join(folder, name)),
      ],
      {
        // The empty last part stands for systemd's own folders, where the targets are.
        env: { SYSTEMD_UNIT_PATH: `${folder}:` },
        all: true,
        reject: false,
        timeout: 60_000,
      },
    );
    return run.all
      .split("\n")
      .filter((line) => /cycle|bedplate|mcp-service/.test(line))
      .join("\n");
  }

  it("finds nothing wrong, and no ordering cycle on a first boot with cloud-init", async () => {
    expect(await verify({ ...FIRST_BOOT_UNITS, ...OWN_UNITS })).toBe("");
  });

  it("would find the cycle that default dependencies close", async () => {
    const withDefaults = renderEarlyUnit().replace("DefaultDependencies=no\n", "");
    expect(await verify({ ...FIRST_BOOT_UNITS, ...OWN_UNITS, [EARLY_UNIT]: withDefaults })).toContain(
      "Found ordering cycle",
    );
  });

  it("would find a directive that systemd does not know", async () => {
    const misspelt = renderLateUnit().replace("ProtectHome=", "ProtectHouse=");
    expect(await verify({ ...FIRST_BOOT_UNITS, ...OWN_UNITS, [LATE_UNIT]: misspelt })).toContain(
      "ProtectHouse",
    );
  });
});
