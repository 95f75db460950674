import { stringify } from "yaml";
import { InputError } from "../errors.ts";
import { parseYamlText } from "../profile/parse-contract.ts";
import { type KubeletConfig, kubeletConfigSchema } from "./kubelet-config.ts";

/** nodeadm merges what it finds here over its own; the kubelet merges *.conf of the folder that --config-dir names. */
export type KubeletFile = "nodeadm" | "kubelet-drop-in";

const HEADER = "# Written by bedplate, taken back by bedplate rollback.\n";

export function renderKubeletFile(config: KubeletConfig, file: KubeletFile): string {
  const document =
    file === "nodeadm"
      ? { apiVersion: "node.eks.aws/v1alpha1", kind: "NodeConfig", spec: { kubelet: { config } } }
      : { apiVersion: "kubelet.config.k8s.io/v1beta1", kind: "KubeletConfiguration", ...config };
  return HEADER + stringify(document, { lineWidth: 0 });
}

/** The configuration in a file of either kind, or every fault that the kubelet would stumble over. */
export function parseKubeletFile(
  text: string,
): { readonly config: KubeletConfig } | { readonly faults: readonly string[] } {
  let document: unknown;
  try {
    document = parseYamlText(text, "the kubelet's configuration");
  } catch (error) {
    if (error instanceof InputError) return { faults: [error.message] };
    throw error;
  }
  const parsed = kubeletConfigSchema.safeParse(configOf(document));
  if (parsed.success) return { config: parsed.data };
  return { faults: parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`) };
}

function configOf(document: unknown): unknown {
  const fields = recordOf(document);
  if (fields["kind"] === "NodeConfig") return recordOf(recordOf(fields["spec"])["kubelet"])["config"];
  const { apiVersion: _version, kind: _kind, ...config } = fields;
  return config;
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}
