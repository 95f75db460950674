import type { HostFacts } from "../facts/host-facts.ts";
import type { AnyKnob, Target } from "../knobs/knob.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import type { HostPlan } from "./host-plan.ts";
import type { Past } from "./own-changes.ts";

export type Phase = HostPlan["phase"];

export interface PlanInput {
  readonly host: Host;
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  /** The registry. The engine names no knob, it gets them. */
  readonly knobs: readonly AnyKnob[];
  readonly phase: Phase;
  /** What to call the profile in messages. */
  readonly profileSource?: string;
  /** Only these steps: one device that was added, or what has drifted. Absent: all. */
  readonly isChosen?: (knob: AnyKnob, target: Target) => boolean;
  /** What Bedplate did here before; absent where the journal may not be read, and our values count as the host's then. */
  readonly past?: Past | undefined;
}
