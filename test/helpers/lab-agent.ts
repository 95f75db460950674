import type { LocalVm } from "../../components/hosts/local-vm/vm-state.ts";
import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type HostReport, hostReportSchema } from "../../host-tuning/report/host-report.ts";

export { agentArtifact, installAgent } from "../../components/hosts/local-vm/agent-in-vm.ts";

/** Longest an agent's run may take in a guest whose CPUs are emulated on a busy machine. */
const AGENT_LIMIT_MILLIS = 300_000;

/** Runs a verb of the installed agent and gives its report. */
export async function runAgent(
  vm: LocalVm,
  line: string,
): Promise<{ readonly exitCode: number; readonly report: HostReport }> {
  const { exitCode, stdout, stderr } = await vm.ssh(`${HOST_PATHS.command} ${line} --json`, {
    timeoutMillis: AGENT_LIMIT_MILLIS,
  });
  if (stdout === "") throw new Error(`bedplate ${line} said nothing, exit code ${exitCode}: ${stderr}`);
  return { exitCode, report: parseContract(hostReportSchema, JSON.parse(stdout), `bedplate ${line}`) };
}

/** What went wrong in a report, for an expectation that shows it. */
export function failuresOf(report: HostReport): string[] {
  return report.entries
    .filter((entry) => entry.outcome === "failed")
    .map((entry) => `${entry.key}: ${entry.because}`);
}
