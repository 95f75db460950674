import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import { type BootArgument, defineBootArgument } from "./boot-argument.ts";
import { numberArgument } from "./boot-argument-syntax.ts";
import { leave } from "./desired.ts";
import type { AnyKnob, Desired } from "./knob.ts";

/** What the two arguments on C-states differ in. */
type CstateArgument = Pick<BootArgument, "title" | "risk" | "kernelDefault" | "anchors"> & {
  readonly id: "intel_idle.max_cstate" | "processor.max_cstate";
  readonly driver: "intel_idle" | "acpi_idle";
  readonly parameterPath: string;
};

/**
 * Deepest C-state, at boot. Never set by itself: the same is had at run time by a latency request for each CPU, without a
 * reboot, and taken back in a moment. There as a knob so that what a host has is read and told, and for whoever has
 * a reason of their own and says so by an override.
 */
export function defineCstateArgument(spec: CstateArgument): AnyKnob {
  const { driver, parameterPath, ...rest } = spec;
  return defineBootArgument({
    ...rest,
    syntax: numberArgument(spec.id),
    unit: "enum",
    scope: "cpu",
    sources: [
      "https://docs.kernel.org/admin-guide/pm/cpuidle.html",
      "https://docs.kernel.org/admin-guide/pm/intel_idle.html",
    ],
    desired: ({ facts, profile }) => desiredAt(driver, facts, profile),
    async readIgnored(host, value) {
      const found = (await host.readText(parameterPath))?.trim();
      return found === undefined || found === value ? undefined : `the driver has ${found}`;
    },
  });
}

function desiredAt(
  driver: string,
  { cpu: { idle } }: HostFacts,
  { cpu: { wakeUpLatencyMicros }, preset }: HostProfile,
): Desired<string> {
  if (idle.driver !== driver)
    return leave(`the idle driver is ${idle.driver ?? "none"}, which this argument does not reach`);
  const asked =
    wakeUpLatencyMicros === undefined ? `preset ${preset}` : `at most ${wakeUpLatencyMicros} microseconds`;
  return leave(`${asked}: deep C-states are kept off at run time, CPU by CPU, without a reboot`);
}
