import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { API_VERSION } from "../../../host-tuning/profile/host-profile.ts";
import { buildArchives } from "../../../tools/archive/build-archives.ts";
import { LocalVmError } from "./vm-error.ts";
import { artifactUrl, type LocalVmSpecInput } from "./vm-spec.ts";
import type { LocalVm } from "./vm-state.ts";

/** Longest an install may take in a guest whose CPUs are emulated on a busy machine. */
const INSTALL_MILLIS = 300_000;

/** What a VM needs in its spec, so that `installAgent` can fetch the agent's archive of this checkout. */
export async function agentArtifact(): Promise<NonNullable<LocalVmSpecInput["artifacts"]>[number]> {
  const { agent } = await buildArchives();
  return { path: agent.path, sha256: agent.sha256 };
}

/**
 * Unpacks the archive where an installed agent stands, with a profile, and enables no unit: the caller says when the
 * agent runs. User data (components/user-data) is the way of hosts, where the agent runs at boot.
 *
 * @throws {LocalVmError} GUEST_FAILED
 */
export async function installAgent(vm: LocalVm, profile: object): Promise<void> {
  const [artifact] = vm.state.spec.artifacts;
  if (artifact === undefined) {
    throw new LocalVmError("GUEST_FAILED", "Cannot install the agent: the VM's spec has no artifact");
  }
  const folder = `${HOST_PATHS.agentFolder}/${artifact.sha256}`;
  const script = `set -e
mkdir -p ${folder} ${HOST_PATHS.configFolder} /var/cache/bedplate
curl -sSf ${artifactUrl(artifact.sha256)} | tar -xz -C ${folder} --no-same-owner
ln -sfn ${artifact.sha256} ${HOST_PATHS.agentCurrent}
ln -sfn ${HOST_PATHS.agentCurrent}/bin/bedplate ${HOST_PATHS.command}
cat > ${HOST_PATHS.profile}
sync`;
  const result = await vm.ssh(script, {
    timeoutMillis: INSTALL_MILLIS,
    input: JSON.stringify({ apiVersion: API_VERSION, kind: "HostProfile", ...profile }),
  });
  if (result.exitCode !== 0) {
    throw new LocalVmError("GUEST_FAILED", `Cannot install the agent: ${result.stderr.trim()}`);
  }
}
