import { artifactUrl } from "../../components/hosts/local-vm/local-vm.ts";
import type { LocalVm } from "../../components/hosts/local-vm/vm-state.ts";
import type { LocalVmSpecInput } from "../../components/hosts/local-vm/vm-spec.ts";
import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type HostReport, hostReportSchema } from "../../host-tuning/report/host-report.ts";
import { buildArchives } from "../../tools/archive/build-archives.ts";

/** Longest an agent's run may take in a guest whose CPUs are emulated on a busy machine. */
const AGENT_LIMIT_MILLIS = 300_000;

/** What a VM needs in its spec, so that `installAgent` can fetch the agent's archive of this checkout. */
export async function agentArtifact(): Promise<NonNullable<LocalVmSpecInput["artifacts"]>[number]> {
  const { agent } = await buildArchives();
  return { path: agent.path, sha256: agent.sha256 };
}

/** Unpacks the archive where an installed agent stands. Units are not enabled: the test says when the agent runs. */
export async function installAgent(vm: LocalVm, profile: object): Promise<void> {
  const [artifact] = vm.state.spec.artifacts;
  if (artifact === undefined) throw new Error("Cannot install the agent: the VM's spec has no artifact");
  const folder = `${HOST_PATHS.agentFolder}/${artifact.sha256}`;
  const script = `set -e
mkdir -p ${folder} ${HOST_PATHS.configFolder} /var/cache/bedplate
curl -sSf ${artifactUrl(artifact.sha256)} | tar -xz -C ${folder} --no-same-owner
ln -sfn ${artifact.sha256} ${HOST_PATHS.agentCurrent}
ln -sfn ${HOST_PATHS.agentCurrent}/bin/bedplate ${HOST_PATHS.command}
cat > ${HOST_PATHS.profile}
sync`;
  const result = await vm.ssh(script, {
    timeoutMillis: AGENT_LIMIT_MILLIS,
    input: JSON.stringify({ apiVersion: "bedplate/v1", kind: "HostProfile", ...profile }),
  });
  if (result.exitCode !== 0) throw new Error(`Cannot install the agent: ${result.stderr}`);
}

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
