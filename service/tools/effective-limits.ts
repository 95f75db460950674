import * as z from "zod";
import { readEffectiveLimits } from "../effective-limits.ts";
import { defineTool } from "./tool.ts";

export const effectiveLimits = defineTool({
  name: "effective_limits",
  title: "Effective limits",
  description:
    "Limits in force for this service's own process: open files, CPUs, NUMA policy, and the network settings of the namespace it runs in. Shows whether host tuning reached the service.",
  inputSchema: z.object({}),
  outputSchema: z.object({
    openFilesSoft: z
      .number()
      .nullable()
      .describe("Node raises its soft limit to the hard one when it starts"),
    openFilesHard: z.number().nullable(),
    cpusAllowedList: z.string().nullable(),
    memsAllowedList: z.string().nullable(),
    numaPolicy: z.string().nullable(),
    cgroup: z.string().nullable(),
    networkNamespace: z.string().nullable(),
    listenBacklog: z.number().describe("What the service asked listen(2) for"),
    sysctls: z.record(z.string(), z.string().nullable()),
  }),
  run: async (_input, context) => ({
    ...(await readEffectiveLimits()),
    listenBacklog: context.listenBacklog,
  }),
});
