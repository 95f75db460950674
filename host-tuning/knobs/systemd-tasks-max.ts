import * as z from "zod";
import { parseKernelList } from "../sys/kernel-list.ts";
import type { Host } from "../sys/host.ts";
import { cgroupSetting, NO_LIMIT, numberOf } from "./cgroup-setting.ts";
import { leave, setTo } from "./desired.ts";

/** Threads and processes of one runtime that stands still: Node has 11, a JVM some 40. Our choice, with room. */
const BASE_TASKS = 512;

/** One worker for each CPU, with its thread pool and a tool that it has started. Our choice. */
const TASKS_PER_CPU = 64;

/**
 * systemd.TasksMax: processes and threads that the service may have, all together.
 *
 * systemd's default is 15 % of what the kernel allows, which on a small host is less than a worker for each CPU with the
 * tools that they start. Only raises; a limit stays, so that a fork bomb in a tool does not take the host.
 *
 * @example 16 CPUs: 512 + 16 x 64 = 1536
 */
export const systemdTasksMax = cgroupSetting({
  key: "TasksMax",
  title: "Processes and threads of the service",
  unit: "entries",
  controller: "pids",
  file: "pids.max",
  risk: { level: "low", what: "a tool that starts processes without end gets further before it is stopped" },
  anchors: { saptune: "UserTasksMax, with a warning about fork bombs" },
  kernelDefault: "15 % of the smaller of kernel.pid_max and kernel.threads-max, from systemd",
  kernelRange: "systemd 228 and newer",
  sources: [
    "https://www.freedesktop.org/software/systemd/man/latest/systemd.resource-control.html#TasksMax=",
  ],
  value: z.string().regex(/^[1-9]\d{0,6}$/, "a number of tasks, never infinity"),
  stock: readStock,
  normalise: async (assigned, host) =>
    /^\d{1,3}%$/.test(assigned) ? await shareOfAll(host, Number(assigned.slice(0, -1))) : assigned,
  desired({ facts, current, profile }) {
    const cpus = (parseKernelList(facts.cpu.onlineCpus) ?? []).length;
    const wanted = BASE_TASKS + cpus * TASKS_PER_CPU;
    const because = `${BASE_TASKS} for the runtime and ${TASKS_PER_CPU} for each of ${cpus} CPUs`;
    if (numberOf(current) > wanted && !profile.allowLowering)
      return leave(
        current === NO_LIMIT
          ? `host has no limit, more than the ${wanted} needed: ${because}`
          : `host has ${current}, more than the ${wanted} needed: ${because}`,
      );
    return setTo(String(wanted), because);
  },
});

async function readStock(host: Host): Promise<string> {
  return await shareOfAll(host, 15);
}

/** systemd takes the percentage of the smallest of the kernel's own limits. */
async function shareOfAll(host: Host, percent: number): Promise<string> {
  const texts = await Promise.all(
    ["pid_max", "threads-max"].map(async (name) => await host.readText(`/proc/sys/kernel/${name}`)),
  );
  const limits = texts.flatMap((text) => (/^\d+\s*$/.test(text ?? "") ? [Number(text)] : []));
  return limits.length === 0 ? `${percent}%` : String(Math.floor((Math.min(...limits) * percent) / 100));
}
