import { readFile } from "node:fs/promises";
import * as z from "zod";
import { OUTCOMES, hostReportSchema } from "../../host-tuning/report/host-report.ts";
import { ToolError, defineTool } from "./tool.ts";

export const hostReport = defineTool({
  name: "host_report",
  title: "Host tuning report",
  description:
    "What the tuning agent did on this host at its last run: counts by outcome, and each knob with its value before and after.",
  inputSchema: z.object({
    outcome: z.enum(OUTCOMES).optional().describe("Only knobs with this outcome"),
  }),
  outputSchema: z.object({
    hostname: z.string().nullable(),
    kernelRelease: z.string().nullable(),
    agentVersion: z.string(),
    verb: z.string(),
    phase: z.string(),
    startedAt: z.string(),
    durationMillis: z.number(),
    counts: z.record(z.string(), z.number()),
    drifted: z.number(),
    knobs: z.array(
      z.object({
        key: z.string(),
        outcome: z.string(),
        before: z.string().nullable(),
        found: z.string().nullable(),
        isVerified: z.boolean(),
        because: z.string(),
      }),
    ),
  }),
  async run({ outcome }, { hostReportPath }, signal) {
    const report = await readReport(hostReportPath, signal);
    return {
      hostname: report.hostname,
      kernelRelease: report.kernelRelease,
      agentVersion: report.agentVersion,
      verb: report.verb,
      phase: report.phase,
      startedAt: report.startedAt,
      durationMillis: report.durationMillis,
      counts: report.counts,
      drifted: report.drifted,
      knobs: report.entries
        .filter((entry) => outcome === undefined || entry.outcome === outcome)
        .map(({ key, outcome, before, found, isVerified, because }) => ({
          key,
          outcome,
          before,
          found,
          isVerified,
          because,
        })),
    };
  },
});

async function readReport(path: string, signal: AbortSignal): Promise<z.output<typeof hostReportSchema>> {
  let text: string;
  try {
    text = await readFile(path, { encoding: "utf8", signal });
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") {
      throw new ToolError(`Cannot read ${path}: no such file, the tuning agent has not run on this host`, {
        cause,
      });
    }
    throw cause;
  }
  const report = hostReportSchema.safeParse(parseJson(text, path));
  if (!report.success) {
    throw new ToolError(`Cannot read ${path}: it is no bedplate/v1 HostReport`, { cause: report.error });
  }
  return report.data;
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ToolError(`Cannot read ${path}: it is not JSON`, { cause });
  }
}
