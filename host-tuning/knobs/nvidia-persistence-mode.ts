import * as z from "zod";
import type { Host } from "../sys/host.ts";
import { leave, setTo } from "./desired.ts";
import { defineKnob, type Write } from "./knob.ts";
import { gpuTargets, gpuWrite, NO_NVIDIA_GPU, readGpu, readGpuAbsence } from "./nvidia-smi.ts";

const DAEMON = "nvidia-persistenced.service";
const UNIT_FOLDERS = ["/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"];

/** Off, with the daemon that NVIDIA wants for it installed and not running. */
const DAEMON_STOPPED = "Disabled, nvidia-persistenced stopped";

/**
 * nvidia.persistence_mode: the driver stays initialised while no program has the GPU open.
 *
 * Without it the first call after an idle time pays for the initialisation again, and settings such as the power limit
 * and locked clocks are lost. With it a GPU reset needs the mode off first. Where nvidia-persistenced is installed it is
 * started before: the driver then keeps the mode by the daemon, which is the way that NVIDIA keeps supporting, and no
 * longer by itself.
 */
export const nvidiaPersistenceMode = defineKnob<string>({
  id: "nvidia.persistence_mode",
  title: "GPU driver stays initialised while idle",
  family: "gpu",
  unit: "enum",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "a little more idle power; a GPU reset needs it off first" },
  isReversible: true,
  kernelDefault: "Disabled",
  anchors: { "EKS AMI": "on, by nvidia-smi -pm 1 or nvidia-persistenced" },
  sources: [
    "https://docs.nvidia.com/deploy/driver-persistence/persistence-mode.html",
    "https://docs.nvidia.com/deploy/driver-persistence/persistence-daemon.html",
  ],
  value: z.enum(["Enabled", "Disabled"]),

  targets: (facts) => gpuTargets(facts),
  absentBecause: NO_NVIDIA_GPU,
  readAbsence: readGpuAbsence,

  async read(host, target) {
    const mode = (await readGpu(host, target))?.persistence_mode;
    return mode === "Disabled" && (await isDaemonStopped(host)) ? DAEMON_STOPPED : mode;
  },

  desired({ profile }) {
    if (!profile.gpu.persistenceMode) return leave("the profile does not ask for it (gpu.persistenceMode)");
    return setTo("Enabled", "the first call after an idle time does not wait for the driver to initialise");
  },

  isSatisfied: (current, wanted) => current.split(",")[0] === wanted,

  writes(value, target, before) {
    const daemon: Write[] =
      before === DAEMON_STOPPED && value === "Enabled"
        ? [
            {
              kind: "tool",
              command: ["systemctl", "start", DAEMON],
              undo: ["systemctl", "stop", DAEMON],
            },
          ]
        : [];
    const flag = (mode: string): string => (mode === "Enabled" ? "1" : "0");
    return [...daemon, gpuWrite(target, ["-pm", flag(value)], ["-pm", flag(before)])];
  },
});

async function isDaemonStopped(host: Host): Promise<boolean> {
  if (await host.exists("/run/nvidia-persistenced/socket")) return false;
  const found = await Promise.all(UNIT_FOLDERS.map((folder) => host.exists(`${folder}/${DAEMON}`)));
  return found.includes(true);
}
