import { leave, raiseTo } from "./desired.ts";
import { firstNumbers } from "./kernel-counters.ts";
import { integerSysctl } from "./sysctl-knob.ts";

const WANTED = 1_048_576;

/**
 * fs.aio-max-nr: asynchronous reads and writes (libaio) that all programs of the host have ready together.
 *
 * Databases reserve tens of thousands each at their start and fail when they are used up. Node uses a thread pool or
 * io_uring, so a host with the service alone needs nothing; a Kubernetes node has pods of others.
 *
 * @unit requests
 * @example Kubernetes: 1 048 576; systemd: left
 */
export const fsAioMaxNr = integerSysctl({
  id: "fs.aio-max-nr",
  title: "Asynchronous file requests of all programs",
  unit: "requests",
  scope: "host",
  takesEffect: "now",
  range: [0, Number.MAX_SAFE_INTEGER],
  risk: { level: "low", what: "kernel memory for each request that a program has reserved" },
  kernelDefault: "65536",
  anchors: { rpk: "1048576, raise only", TuneD: "oracle, openshift: 1048576", saptune: "the kernel's most" },
  evidence: firstNumbers({ reserved: "/proc/sys/fs/aio-nr" }),
  sources: ["https://docs.kernel.org/admin-guide/sysctl/fs.html#aio-nr-aio-max-nr"],
  desired(input) {
    if (input.profile.service.runtime !== "kubernetes")
      return leave("the service reads files without libaio; a database on this host would need an override");
    return raiseTo(
      { value: WANTED, because: "databases among the pods reserve tens of thousands each" },
      input,
    );
  },
});
