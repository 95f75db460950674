import { leave, setTo } from "./desired.ts";
import { integerSysctl } from "./sysctl-knob.ts";

/**
 * vm.overcommit_memory: may programs reserve more memory than there is: 0 by judgement, 1 always, 2 never.
 *
 * 1 on Kubernetes nodes, where kubelet wants exactly this (`protectKernelDefaults` refuses to start without it and
 * otherwise kubelet writes it itself: kubernetes#74151). Elsewhere it is left: Node reserves large address ranges without
 * asking for memory behind them, which 0 permits.
 *
 * @example runtime kubernetes: 1; systemd: left
 */
export const vmOvercommitMemory = integerSysctl({
  id: "vm.overcommit_memory",
  title: "Reserving more memory than there is",
  unit: "enum",
  scope: "host",
  takesEffect: "now",
  range: [0, 2],
  risk: { level: "medium", what: "a program that runs away is killed later, and then perhaps another one" },
  kernelDefault: "0",
  anchors: { "EKS AMI": "1, for protectKernelDefaults" },
  sources: [
    "https://docs.kernel.org/admin-guide/sysctl/vm.html#overcommit-memory",
    "https://github.com/kubernetes/kubernetes/issues/74151",
  ],
  desired({ profile, current }) {
    if (profile.service.runtime === "kubernetes")
      return setTo(1, "kubelet's protectKernelDefaults wants 1, and kubelet would write it otherwise");
    return current === 2
      ? leave(
          "host has 2, strict accounting, which somebody chose; V8's large reservations may fail under it",
        )
      : leave("only Kubernetes nodes need another value; Node reserves address space, which 0 permits");
  },
});
