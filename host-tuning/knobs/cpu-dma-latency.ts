import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { Host } from "../sys/host.ts";
import { leave, lowerTo } from "./desired.ts";
import { NO_IDLE_STATES, idleLatency } from "./idle-latency.ts";
import { defineKnob } from "./knob.ts";
import { ownService } from "./own-unit.ts";

const DEVICE = "/dev/cpu_dma_latency";
const UNIT = "bedplate-cpu-dma-latency.service";

/** The kernel's "nobody minds": 2000 s. */
const NO_LIMIT_MICROS = 2_000_000_000;

/**
 * cpu_dma_latency: how long any idle CPU of the host may take to wake up, microseconds.
 *
 * A request lives only as long as the program that made it holds the file open: the agent ends, so a unit of ours holds
 * it (`sleep`, 1 MiB). Only where CPUs have no file of their own for this (pm_qos_resume_latency_us), which keeps the
 * limit by itself and spares the CPUs that are not the service's. Read is what the kernel makes of all requests.
 *
 * @unit microseconds
 */
export const cpuDmaLatency = defineKnob<number>({
  id: "cpu_dma_latency",
  title: "Time that any idle CPU may take to wake up (C-states)",
  family: "cpu",
  unit: "microseconds",
  scope: "host",
  phase: "late",
  takesEffect: "now",
  survivesReboot: true,
  risk: { level: "medium", what: "more power and heat in idle times, on every CPU of the host" },
  isReversible: true,
  anchors: {
    TuneD:
      "force_latency, held by its daemon: 1 to 3 us in latency-performance, 99 in accelerator-performance",
    saptune: "70, held by its daemon",
  },
  kernelDefault: "2000000000: no limit",
  sources: [
    "https://docs.kernel.org/admin-guide/pm/cpuidle.html#power-management-quality-of-service-for-cpus",
    "https://docs.kernel.org/power/pm_qos_interface.html",
  ],
  value: z.int().min(0).max(NO_LIMIT_MICROS),

  targets: (facts) => (facts.cpu.idle.states.length === 0 ? [] : [{ name: "" }]),
  absentBecause: NO_IDLE_STATES,

  async read(host) {
    if (await hasFilesByCpu(host)) return undefined;
    // Opening the device makes a request without a limit, which changes nothing; reading gives four bytes.
    const result = await host.runTool("od", ["-An", "-td4", "-N4", DEVICE]);
    if (result === undefined || result.exitCode !== 0) return undefined;
    const word = result.stdout.trim();
    if (/^\d+$/.test(word)) return Number(word);
    throw new TuningError(
      "HOST_PARSE",
      DEVICE,
      `Cannot read ${DEVICE}: holds "${word}", expected microseconds`,
    );
  },

  desired({ facts, profile, current }) {
    const limit = idleLatency(facts, profile);
    return limit.kind === "any"
      ? leave(limit.because)
      : lowerTo({ value: limit.micros, because: limit.because }, { current });
  },

  writes(value) {
    const hex = `0x${value.toString(16).padStart(8, "0")}`;
    return ownService({
      name: UNIT,
      lines: [
        "[Unit]",
        "Description=Limit of the time that idle CPUs take to wake up (bedplate)",
        "[Service]",
        `ExecStart=/bin/sh -c 'exec 3>${DEVICE} && printf ${hex} >&3 && exec sleep infinity'`,
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
      ],
    });
  },

  isSatisfied: (current, wanted) => current <= wanted,
});

function hasFilesByCpu(host: Host): Promise<boolean> {
  return host.exists("/sys/devices/system/cpu/cpu0/power/pm_qos_resume_latency_us");
}
