import { leave, setTo } from "./desired.ts";
import type { AnyKnob } from "./knob.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

interface KubeletSysctl {
  readonly id: `vm.${string}` | `kernel.${string}`;
  readonly title: string;
  readonly unit: "flag" | "seconds" | "entries" | "bytes";
  /** What the kubelet wants exactly. */
  readonly value: number;
  readonly least?: number;
  readonly risk: string;
  readonly kernelDefault: string;
  readonly source: string;
  readonly anchors?: AnyKnob["anchors"];
}

/**
 * A kernel setting that the kubelet wants exactly so: it writes it at its start, and with protectKernelDefaults it
 * refuses to start where it finds another value. Set before it starts, both are the same. No other host needs it.
 *
 * @see https://github.com/kubernetes/kubernetes/blob/v1.34.0/pkg/kubelet/cm/container_manager_linux.go (setupKernelTunables)
 */
export function kubeletSysctl(args: KubeletSysctl): AnyKnob {
  return integerSysctl({
    id: args.id,
    title: args.title,
    unit: args.unit,
    scope: "host",
    takesEffect: "now",
    range: [args.least ?? 0, INT32_MAX],
    risk: { level: "low", what: args.risk },
    kernelDefault: args.kernelDefault,
    anchors: { "EKS AMI": `${args.value}, for protectKernelDefaults`, ...args.anchors },
    sources: [args.source, "https://kubernetes.io/docs/reference/config-api/kubelet-config.v1beta1/"],
    desired: ({ profile }) =>
      profile.service.runtime === "kubernetes"
        ? setTo(
            args.value,
            `kubelet's protectKernelDefaults wants ${args.value}, and kubelet would write it otherwise`,
          )
        : leave("only the kubelet asks for another value"),
  });
}
