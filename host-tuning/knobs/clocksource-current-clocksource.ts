import * as z from "zod";
import type { HostFacts } from "../facts/host-facts.ts";
import { type Wanted, leave, setTo } from "./desired.ts";
import { readWord } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/**
 * clocksource/current_clocksource: the counter that the kernel tells time by. One that programs cannot read without a
 * system call, or only through the hypervisor (hpet, acpi_pm, xen), makes every Date.now() slow.
 *
 * By platform, and only from what the kernel still offers: it takes away a counter that it has found unstable. Never
 * `tsc=reliable`, which would turn that watchdog off.
 */
export const clocksourceCurrentClocksource = defineKnob<string>({
  id: "clocksource/current_clocksource",
  title: "Counter that the kernel tells time by",
  family: "cpu",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "medium", what: "a counter that is not steady on this machine makes time jump" },
  isReversible: true,
  anchors: {
    rpk: "tsc on x86 where it is offered",
    "perftune.py": "tsc on bare metal, kvm-clock on KVM, Amazon and Google",
    "EKS AMI": "clocksource=tsc tsc=reliable at boot, which turns the watchdog off",
  },
  kernelDefault: "the best-rated counter that has proved steady",
  sources: [
    "https://docs.kernel.org/timers/timekeeping.html",
    "https://repost.aws/knowledge-center/manage-ec2-linux-clock-source",
    "https://github.com/redpanda-data/redpanda/issues/6444",
  ],
  value: z.string().regex(/^[a-z0-9_-]{1,32}$/, "a clock source's name"),

  read: (host) => readWord(host, PATH),

  desired({ facts, current }) {
    const wanted = wantedClock(facts);
    if (!("value" in wanted)) return leave(`host has ${current}: ${wanted.because}`);
    if (!facts.clock.sources.includes(wanted.value)) {
      const offered = facts.clock.sources.join(", ") || "none";
      return leave(`host has ${current}; ${wanted.value} is wanted and the kernel offers ${offered}`);
    }
    return setTo(wanted.value, wanted.because);
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});

function wantedClock(facts: HostFacts): Wanted<string> | { readonly because: string } {
  const { virtualization, cloud, clock, architecture } = facts;
  if (architecture !== "x86_64")
    return { because: `on ${architecture} the architecture's counter is the one to use` };
  const { kind } = virtualization;
  const steady = "its rate is constant and it does not stop in idle (constant_tsc, nonstop_tsc)";
  switch (kind) {
    case "none":
    case "amazon":
      return clock.hasInvariantTsc
        ? { value: "tsc", because: `read without a system call or the hypervisor; ${steady}` }
        : { because: "the time stamp counter is not invariant here" };
    case "xen":
      return cloud.provider === "aws" && clock.hasInvariantTsc
        ? { value: "tsc", because: `xen's clock costs a system call for each reading; ${steady}` }
        : { because: "the hypervisor's own clock follows the guest when it moves" };
    case "kvm":
    case "google":
      return clock.source === "tsc"
        ? { because: "the kernel took the time stamp counter, as the hypervisor says that it is steady" }
        : {
            value: "kvm-clock",
            because: "read without a system call, and KVM corrects it when the guest moves",
          };
    case "hyperv":
      return {
        value: "hyperv_clocksource_tsc_page",
        because: "read without a system call, and Hyper-V corrects it when the guest moves",
      };
    case "qemu":
    case "vmware":
    case "container":
    case "other":
      return { because: `what is best under ${kind} is not known, so the kernel's choice stands` };
  }
  return kind satisfies never;
}
