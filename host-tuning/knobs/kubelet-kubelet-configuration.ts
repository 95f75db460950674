import * as z from "zod";
import type { HostFacts } from "../facts/host-facts.ts";
import type { KubeletConfig } from "../kubernetes/kubelet-config.ts";
import { type KubeletFile, parseKubeletFile, renderKubeletFile } from "../kubernetes/kubelet-file.ts";
import { kubeletHandOver } from "../kubernetes/kubelet-hand-over.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { leave, setTo } from "./desired.ts";
import { type Target, defineKnob } from "./knob.ts";

const NODEADM = "/etc/eks/nodeadm.d/50-bedplate.yaml";
/** Where nodeadm points the kubelet's --config-dir on Amazon Linux. */
const AMAZON_DROP_IN = "/etc/kubernetes/kubelet/config.json.d/50-bedplate.conf";
/** The folder of the kubelet's documentation; the kubelet has to be started with --config-dir for it. */
const DROP_IN = "/etc/kubernetes/kubelet.conf.d/50-bedplate.conf";

/** Folders of which one is there where a kubelet is to run. */
const KUBELET_FOLDERS: Readonly<Record<KubeletFile, readonly string[]>> = {
  nodeadm: ["/etc/eks"],
  "kubelet-drop-in": ["/etc/kubernetes", "/var/lib/kubelet"],
};

/**
 * kubelet.KubeletConfiguration: what the kubelet is told of this host, measured: reserved CPUs and memory, CPU, memory and
 * topology manager, and the sysctls that pods of the service may ask for.
 *
 * Written before the kubelet starts (nodeadm reads the folder on EKS). A kubelet that has run with other policies keeps
 * them in a checkpoint and refuses to start with new ones; pods hold CPUs and memory by it. So on such a node nothing is
 * written: drain it, stop the kubelet, remove the checkpoint, apply again.
 *
 * @example 8 cores of 2 threads: reservedSystemCPUs "0-1", cpuManagerPolicy static with full-pcpus-only
 */
export const kubeletKubeletConfiguration = defineKnob<string>({
  id: "kubelet.KubeletConfiguration",
  title: "Reserved CPUs and memory, topology and policies for the kubelet",
  family: "kubernetes",
  unit: "text",
  scope: "unit",
  phase: "early",
  takesEffect: "service-restart",
  survivesReboot: true,
  isReversible: true,
  risk: {
    level: "medium",
    what: "a kubelet that finds a fault in it does not start; less of the host is left for pods",
  },
  kernelDefault:
    "no CPU or memory manager; CPUs and memory of all nodes are handed out without regard to their place",
  kernelRange: "kubelet 1.28 for a drop-in folder (1.30 without a feature switch); nodeadm on any",
  anchors: {
    NTO: "static, full-pcpus-only, Static memory manager, topology policy best-effort",
    "EKS AMI": "kubeReserved by pods and CPUs; no CPU or memory manager",
  },
  sources: [
    "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/",
    "https://kubernetes.io/docs/tasks/administer-cluster/memory-manager/",
    "https://kubernetes.io/docs/tasks/administer-cluster/cpu-management-policies/",
    "https://awslabs.github.io/amazon-eks-ami/nodeadm/doc/examples/",
    "https://github.com/awslabs/amazon-eks-ami/issues/2794",
  ],
  value: z.string().superRefine((text, context) => {
    const parsed = parseKubeletFile(text);
    if ("faults" in parsed)
      for (const message of parsed.faults) context.addIssue({ code: "custom", message });
  }),
  targets(facts, profile) {
    const file = fileOf(facts, profile);
    return file === undefined ? [] : [{ name: file }];
  },
  absentBecause: "the profile hands nothing over to a kubelet (kubernetes.kubeletHandOver)",

  async read(host, { name: path }) {
    const folders = KUBELET_FOLDERS[kindOf(path)];
    const present = await Promise.all(folders.map((folder) => host.exists(folder)));
    return present.includes(true) ? ((await host.readText(path)) ?? "") : undefined;
  },

  desired({ facts, profile, target, current }) {
    const handOver = kubeletHandOver(facts, profile);
    if (handOver.kind === "none") return leave(handOver.because);
    const text = renderKubeletFile(handOver.config, kindOf(target.name));
    const conflict = conflictWith(handOver.config, facts);
    if (conflict !== undefined && current !== text) return leave(conflict);
    return setTo(text, handOver.because);
  },

  writes: (text, { name: path }) => [{ kind: "config-file", path, text }],
  format: summary,
});

function fileOf(facts: HostFacts, profile: HostProfile): string | undefined {
  const { kubeletHandOver: kind } = profile.kubernetes;
  if (kind === "none") return undefined;
  if (kind === "nodeadm") return NODEADM;
  return facts.distribution?.id === "amzn" ? AMAZON_DROP_IN : DROP_IN;
}

function kindOf(path: Target["name"]): KubeletFile {
  return path === NODEADM ? "nodeadm" : "kubelet-drop-in";
}

/** Why the kubelet would not start with this, from the checkpoints of its last run. */
function conflictWith(config: KubeletConfig, { kubelet }: HostFacts): string | undefined {
  const differing = [
    kubelet.cpuManagerPolicy !== null && kubelet.cpuManagerPolicy !== config.cpuManagerPolicy
      ? `cpu_manager_state (${kubelet.cpuManagerPolicy}, wanted ${config.cpuManagerPolicy})`
      : "",
    kubelet.memoryManagerPolicy !== null && kubelet.memoryManagerPolicy !== config.memoryManagerPolicy
      ? `memory_manager_state (${kubelet.memoryManagerPolicy}, wanted ${config.memoryManagerPolicy})`
      : "",
  ].filter((text) => text !== "");
  if (differing.length === 0) return undefined;
  return `the kubelet has run here with other policies, which pods hold CPUs and memory by, and would refuse to start: drain the node, stop the kubelet, remove ${differing.join(" and ")} from /var/lib/kubelet, apply, start it`;
}

/** One line for a table. */
function summary(text: string): string {
  if (text === "") return "none";
  const parsed = parseKubeletFile(text);
  if ("faults" in parsed) return "not a file of ours";
  const { config } = parsed;
  return `CPUs ${config.reservedSystemCPUs} reserved, cpu ${config.cpuManagerPolicy}, memory ${config.memoryManagerPolicy}, topology ${config.topologyManagerPolicy}`;
}
