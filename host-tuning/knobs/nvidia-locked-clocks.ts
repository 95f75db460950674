import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob, type Target } from "./knob.ts";
import {
  gpuTargets,
  NO_NVIDIA_GPU,
  NVIDIA_SMI_MANUAL,
  readClockReasons,
  readGpu,
  readGpuAbsence,
} from "./nvidia-smi.ts";

/** A GPU goes in steps of 15 MHz, and may stand one above the limit that was named. */
const STEP_MHZ = 15;

/**
 * nvidia.locked_clocks: the lowest and highest clock of a GPU's cores.
 *
 * Locked clocks and not application clocks, which NVIDIA has deprecated. The driver takes a lock and has no way to ask
 * for it, so it is put there by a systemd unit in /run that stays active while the lock stands: stopping it takes the
 * lock away, a reboot takes both. In force is: the unit is active with these clocks, and the GPU does not run above
 * them. Below them it may be at any time, by heat or power (`explain` says which). Lost with the driver, so that it
 * wants persistence mode.
 *
 * @unit MHz
 */
export const nvidiaLockedClocks = defineKnob<string>({
  id: "nvidia.locked_clocks",
  title: "Lowest and highest clock of a GPU's cores",
  family: "gpu",
  unit: "text",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "a high lowest clock costs power and heat, a low highest one speed" },
  isReversible: true,
  kernelDefault: "unlocked",
  kernelRange: "Volta and later",
  anchors: { "EKS AMI": "set-nvidia-clocks: application clocks, deprecated, the first GPU's for all" },
  sources: [NVIDIA_SMI_MANUAL, "https://docs.nvidia.com/deploy/nvml-api/group__nvmlDeviceCommands.html"],
  value: z.string().regex(/^\d{1,4} to \d{1,4} MHz$/, 'a range as in "1200 to 1980 MHz"'),

  targets: (facts) => (facts.initSystem === "systemd" ? gpuTargets(facts) : []),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const gpu = await readGpu(host, target);
    if (gpu?.["clocks.max.graphics"] === undefined) return undefined;
    const most = gpu["clocks.max.graphics"];
    const locked = await readLock(host, target);
    if (locked === undefined) return `unlocked, up to ${most} MHz`;
    const clock = gpu["clocks.current.graphics"];
    const highest = Number(/ to (\d+)/.exec(locked)?.[1]);
    return clock !== undefined && clock > highest + STEP_MHZ ? `${locked}, runs at ${clock} MHz` : locked;
  },

  desired({ profile, current, target }) {
    const clocks = profile.gpu.lockedClocksMhz;
    if (clocks === undefined) return leave("the profile names none (gpu.lockedClocksMhz)");
    const most = Number(/up to (\d+) MHz/.exec(current)?.[1] ?? clocks.maximum);
    if (clocks.minimum > most) {
      throw new TuningError(
        "TOOL_FAILED",
        target.name,
        `Cannot lock the clocks of ${target.name} to ${clocks.minimum} to ${clocks.maximum} MHz: it has ${most} MHz at most`,
      );
    }
    return setTo(
      `${clocks.minimum} to ${Math.min(clocks.maximum, most)} MHz`,
      clocks.maximum > most ? `gpu.lockedClocksMhz, up to what this GPU has` : "gpu.lockedClocksMhz",
    );
  },

  writes(value, target) {
    const unit = unitName(target);
    return [
      { kind: "config-file", path: unitPath(target), text: unitText(value, target), reload: [DAEMON_RELOAD] },
      { kind: "tool", command: DAEMON_RELOAD, undo: DAEMON_RELOAD },
      { kind: "tool", command: ["systemctl", "restart", unit], undo: ["systemctl", "stop", unit] },
    ];
  },

  evidence: readClockReasons,
});

const DAEMON_RELOAD = ["systemctl", "daemon-reload"] as const;

function unitName({ name }: Target): string {
  return `bedplate-gpu-clocks-${name.replaceAll(/[^0-9a-f]/g, "-")}.service`;
}

function unitPath(target: Target): string {
  return `/run/systemd/system/${unitName(target)}`;
}

function unitText(value: string, { name }: Target): string {
  const [lowest, , highest] = value.split(" ");
  return [
    "# Written by bedplate, taken back by bedplate rollback.",
    "[Unit]",
    `Description=Clocks of GPU ${name} locked to ${value}`,
    "[Service]",
    "Type=oneshot",
    "RemainAfterExit=yes",
    `ExecStart=nvidia-smi -i ${name} -lgc ${lowest},${highest}`,
    `ExecStop=nvidia-smi -i ${name} -rgc`,
    "",
  ].join("\n");
}

/** The lock that our unit holds now; `undefined` without one. systemd keeps a link for each unit that is active. */
async function readLock(host: Host, target: Target): Promise<string | undefined> {
  const text = await host.readText(unitPath(target));
  const locked = / locked to (\d+ to \d+ MHz)$/m.exec(text ?? "")?.[1];
  if (locked === undefined) return undefined;
  const active = await host.runTool("systemctl", ["is-active", "--quiet", unitName(target)]);
  return active?.exitCode === 0 ? locked : undefined;
}
