import { stringify } from "yaml";
import { InputError } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { parseKubernetesVersion, podSysctls } from "../namespaces/pod-sysctls.ts";
import { API_VERSION } from "../profile/host-profile.ts";
import { writeJson } from "./verb-frame.ts";
import type { VerbInput } from "./verb-input.ts";

/** What is taken when nobody says which Kubernetes it is for. */
export const DEFAULT_KUBERNETES_VERSION = "1.34";

/**
 * Prints what a pod of the service has to ask for, and what the kubelet has to allow it: YAML with two documents to paste
 * from, or JSON.
 *
 * @throws {InputError} for a version that is none
 */
export function printPodSysctls(
  { facts, profile }: VerbInput,
  options: { readonly json?: boolean; readonly kubernetesVersion?: string },
): ExitCode {
  const version = options.kubernetesVersion ?? DEFAULT_KUBERNETES_VERSION;
  const minor = parseKubernetesVersion(version);
  if (minor === undefined) {
    const message = `expected a version as in "${DEFAULT_KUBERNETES_VERSION}", found ${JSON.stringify(version)}`;
    throw new InputError("plan", [{ path: "--kubernetes-version", message }]);
  }
  const { safe, unsafe } = podSysctls(facts, profile, minor);
  if (options.json === true) {
    writeJson({ apiVersion: API_VERSION, kind: "PodSysctls", kubernetesVersion: `1.${minor}`, safe, unsafe });
    return EXIT_CODE.asWanted;
  }
  const sysctls = [...safe, ...unsafe].map(({ name, value }) => ({ name, value }));
  const reasons = [...safe, ...unsafe].map(({ name, because }) => `# ${name}: ${because}`);
  process.stdout.write(
    [
      `# For a pod of ${profile.service.unit} on Kubernetes 1.${minor}; not with hostNetwork, which has the host's values.`,
      ...reasons,
      stringify({ spec: { securityContext: { sysctls } } }, { lineWidth: 0 }).trimEnd(),
      "---",
      "# The kubelet refuses the pod (SysctlForbidden) unless it allows these; the hand-over of the agent writes them.",
      stringify(
        {
          apiVersion: "kubelet.config.k8s.io/v1beta1",
          kind: "KubeletConfiguration",
          allowedUnsafeSysctls: unsafe.map(({ name }) => name),
        },
        { lineWidth: 0 },
      ).trimEnd(),
      "",
    ].join("\n"),
  );
  return EXIT_CODE.asWanted;
}
