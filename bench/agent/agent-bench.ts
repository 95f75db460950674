import * as z from "zod";

/** One measured run of one command. */
export const sampleSchema = z.strictObject({
  wallMillis: z.number().min(0).describe("From the start of its first process to the end of its last"),
  cpuMillis: z
    .number()
    .min(0)
    .describe("User and system time of all its processes, and of its daemon meanwhile"),
  maxRssKiB: z
    .int()
    .min(0)
    .describe("Largest resident set of one of its processes, plus its daemon's largest"),
  peakCgroupKiB: z
    .int()
    .min(0)
    .describe("Most that the kernel charged to its control group at once, plus its daemon's most"),
});

export type Sample = z.output<typeof sampleSchema>;

const stepSchema = z.strictObject({
  name: z.string().min(1),
  command: z.string().min(1),
  samples: z.array(sampleSchema).min(1).describe("By round"),
});

const contenderSchema = z.strictObject({
  id: z.string().min(1),
  title: z.string().min(1),
  steps: z.array(stepSchema).min(1),
  changedFiles: z
    .int()
    .min(0)
    .describe("Writable kernel files with another text afterwards; those that change by themselves left out"),
  checkedSettings: z
    .int()
    .min(0)
    .nullable()
    .describe("What its own verify said it had checked; null: it has none"),
  leftBehind: z
    .array(z.string())
    .describe("Kernel files that were not as before once it had taken everything back"),
  residents: z
    .array(z.strictObject({ name: z.string(), rssKiB: z.int() }))
    .describe("Processes that were there after the last step and not before the first"),
});

/** AgentBench: the agent against other tuners, measured in rounds in one VM. */
export const agentBenchSchema = z.strictObject({
  kind: z.literal("AgentBench"),
  measuredAt: z.iso.datetime(),
  durationSeconds: z.int(),
  rounds: z.int().min(1),
  machine: z.strictObject({
    cpuModel: z.string(),
    cpuCount: z.int(),
    accelerator: z.enum(["kvm", "tcg"]),
    loadBefore: z.number().describe("One-minute load average before the VM was started"),
    loadByRound: z.array(z.number()).describe("At the start of each round; the VM's own CPUs are part of it"),
  }),
  guest: z.strictObject({
    debianRelease: z.string(),
    kernelRelease: z.string(),
    systemdVersion: z.string(),
    tunedVersion: z.string(),
    pythonVersion: z.string(),
    nodeVersion: z.string(),
    cpuCount: z.int(),
    memoryMiB: z.int(),
  }),
  agent: z.strictObject({ version: z.string(), archiveSha256: z.string().regex(/^[0-9a-f]{64}$/) }),
  contenders: z.array(contenderSchema).min(1),
  notMeasured: z.array(z.strictObject({ name: z.string(), because: z.string() })),
});

export type AgentBench = z.output<typeof agentBenchSchema>;
export type ContenderResult = AgentBench["contenders"][number];

/** A result as it is kept: one line for each sample, so that a change of a round is a change of a line. */
export function renderAgentBenchJson(bench: AgentBench): string {
  const text = JSON.stringify(bench, null, 2);
  return `${text.replaceAll(/\{\n\s+"(?:wallMillis|name)"[^{}[\]]*\}/g, (leaf) => leaf.replaceAll(/\n\s+/g, " "))}\n`;
}
