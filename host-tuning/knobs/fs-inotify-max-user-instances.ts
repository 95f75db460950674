import { raiseTo } from "./desired.ts";
import { inotifyUse } from "./inotify-use.ts";
import { INT32_MAX, integerSysctl } from "./sysctl-knob.ts";

/** One for each log that is followed and each program that watches its configuration. EKS and Bottlerocket: 8192. */
const KUBERNETES = 8192;
const LEAST = 512;
/** Programs that each watch their configuration, for each CPU: the workers of the service. Our choice. */
const PER_CPU = 8;

/**
 * fs.inotify.max_user_instances: programs of one user that watch files, and root is one user in all containers.
 *
 * The kernel's 128 is used up by the kubelet, the log collectors and a few dozen pods, and then "too many open files" is
 * said of a host with plenty of them (amazon-eks-ami#501).
 *
 * @unit entries
 * @example Kubernetes: 8192; 16 CPUs: 512
 */
export const fsInotifyMaxUserInstances = integerSysctl({
  id: "fs.inotify.max_user_instances",
  title: "Programs of one user that watch files",
  unit: "entries",
  scope: "host",
  takesEffect: "now",
  range: [0, INT32_MAX],
  risk: { level: "low", what: "about 1 KiB of kernel memory for each instance that is really there" },
  kernelDefault: "128",
  anchors: { "EKS AMI": "8192", TuneD: "openshift-node: 8192" },
  evidence: inotifyUse,
  sources: [
    "https://man7.org/linux/man-pages/man7/inotify.7.html",
    "https://github.com/awslabs/amazon-eks-ami/issues/501",
  ],
  desired(input) {
    if (input.profile.service.runtime === "kubernetes")
      return raiseTo(
        {
          value: KUBERNETES,
          because:
            "the containers of root share them: kubelet, log collectors and every pod that watches files",
        },
        input,
      );
    const cpus = input.facts.cpu.cpus.length;
    const value = Math.max(LEAST, cpus * PER_CPU);
    return raiseTo(
      { value, because: `${PER_CPU} for each of ${cpus} CPUs, at least ${LEAST}: workers that watch files` },
      input,
    );
  },
});
