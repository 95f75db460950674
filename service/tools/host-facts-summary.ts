import { readFile, readdir } from "node:fs/promises";
import os from "node:os";
import * as z from "zod";
import { defineTool } from "./tool.ts";

const NODE_FOLDER = "/sys/devices/system/node";

export const hostFactsSummary = defineTool({
  name: "host_facts_summary",
  title: "Host facts",
  description: "The host that this service runs on: kernel, CPUs, memory, NUMA nodes.",
  inputSchema: z.object({}),
  outputSchema: z.object({
    hostname: z.string(),
    architecture: z.string(),
    kernelRelease: z.string(),
    onlineCpus: z.string().nullable(),
    cpuModel: z.string().nullable(),
    memoryBytes: z.number(),
    numaNodes: z.array(z.object({ id: z.number(), cpus: z.string(), memoryKiB: z.number() })),
  }),
  run: async (_input, _context, signal) => ({
    hostname: os.hostname(),
    architecture: os.machine(),
    kernelRelease: os.release(),
    onlineCpus: await readTrimmed("/sys/devices/system/cpu/online", signal),
    cpuModel: os.cpus()[0]?.model ?? null,
    memoryBytes: os.totalmem(),
    numaNodes: await readNumaNodes(signal),
  }),
});

async function readNumaNodes(signal: AbortSignal) {
  const names = await readdir(NODE_FOLDER).catch((error: unknown) => {
    if (isAbsent(error)) return [];
    throw error;
  });
  const ids = names
    .map((name) => /^node(\d+)$/.exec(name)?.[1])
    .filter((id) => id !== undefined)
    .map(Number)
    .toSorted((a, b) => a - b);
  return Promise.all(
    ids.map(async (id) => {
      const [cpus, meminfo] = await Promise.all([
        readTrimmed(`${NODE_FOLDER}/node${id}/cpulist`, signal),
        readTrimmed(`${NODE_FOLDER}/node${id}/meminfo`, signal),
      ]);
      return {
        id,
        cpus: cpus ?? "",
        memoryKiB: Number(/MemTotal:\s+(\d+) kB/.exec(meminfo ?? "")?.[1] ?? 0),
      };
    }),
  );
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}

async function readTrimmed(path: string, signal: AbortSignal): Promise<string | null> {
  try {
    return (await readFile(path, { encoding: "utf8", signal })).trim();
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}
