import { InputError } from "../errors.ts";
import { parseYamlText } from "../profile/parse-contract.ts";
import type { FactReader } from "./fact-reader.ts";
import type { OwnershipFacts } from "./host-facts.ts";
import { readKubeProxy } from "./kube-proxy.ts";

/** Where distributions put the kubelet's configuration: kubeadm, Amazon Linux 2023 (nodeadm), Amazon Linux 2. */
const KUBELET_CONFIGS = [
  "/var/lib/kubelet/config.yaml",
  "/etc/kubernetes/kubelet/config.json",
  "/etc/kubernetes/kubelet/kubelet-config.json",
] as const;

/**
 * Kernel settings that the kubelet writes at its start; with protectKernelDefaults it refuses to start where they differ.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cm/container_manager_linux.go (setupKernelTunables)
 */
const KUBELET_SYSCTLS: readonly (readonly [key: string, value: string])[] = [
  ["vm.overcommit_memory", "1"],
  ["vm.panic_on_oom", "0"],
  ["kernel.panic", "10"],
  ["kernel.panic_on_oops", "1"],
  ["kernel.keys.root_maxkeys", "1000000"],
  ["kernel.keys.root_maxbytes", "25000000"],
];

const CNI_DIRECTORY = "/etc/cni/net.d";

function protectsKernelDefaults(text: string, path: string): boolean | undefined {
  const config = parseYamlText(text, path);
  if (typeof config !== "object" || config === null) return undefined;
  return "protectKernelDefaults" in config && config.protectKernelDefaults === true;
}

async function readKubelet(reader: FactReader): Promise<OwnershipFacts[]> {
  for (const path of KUBELET_CONFIGS) {
    const text = await reader.text(path);
    if (text === undefined) continue;
    let isProtecting: boolean | undefined;
    try {
      isProtecting = protectsKernelDefaults(text, path);
    } catch (error) {
      if (!(error instanceof InputError)) throw error;
    }
    if (isProtecting === undefined) reader.note(path, "Not a kubelet configuration");
    const source = `${path} (protectKernelDefaults ${isProtecting ?? "not known"})`;
    const hold = isProtecting === true ? "required" : "start";
    return KUBELET_SYSCTLS.map(([key, value]) => ({ owner: "kubelet", key, source, value, hold }));
  }
  return [];
}

/** What a network plugin needs to carry its pods' packets: taken away, it cuts them off. */
const CNI_SYSCTLS: readonly (readonly [key: string, value: string | null])[] = [
  ["net.ipv4.ip_forward", "1"],
  ["net.ipv4.conf.all.forwarding", "1"],
  ["net.ipv4.conf.all.rp_filter", null],
  ["net.ipv4.conf.default.rp_filter", null],
  ["net.ipv6.conf.all.forwarding", null],
];

async function readCni(reader: FactReader): Promise<OwnershipFacts[]> {
  const config = (await reader.entries(CNI_DIRECTORY)).find((name) => /\.(conf|conflist|json)$/.test(name));
  if (config === undefined) return [];
  const source = `${CNI_DIRECTORY}/${config}`;
  return CNI_SYSCTLS.map(([key, value]) => ({ owner: "cni", key, source, value, hold: "required" }));
}

/** What Kubernetes sets on its node: the kubelet's kernel settings, kube-proxy's table and the plugin's forwarding. */
export async function readKubernetesOwnership(reader: FactReader): Promise<OwnershipFacts[]> {
  const parts = await Promise.all([readKubelet(reader), readKubeProxy(reader), readCni(reader)]);
  return parts.flat();
}
