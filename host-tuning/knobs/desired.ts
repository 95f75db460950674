import type { HostProfile } from "../profile/host-profile.ts";
import type { Desired } from "./knob.ts";

/** A value and the reason for it. */
export interface Wanted<V> {
  readonly value: V;
  readonly because: string;
}

interface Situation {
  readonly current: number;
  readonly profile: HostProfile;
}

export function leave(because: string): { readonly kind: "leave"; readonly because: string } {
  return { kind: "leave", because };
}

export function setTo<V>(value: V, because: string): Desired<V> {
  return { kind: "set", value, because };
}

/** The rule "raise only": a host that already has more keeps it, unless the profile allows lowering. */
export function raiseTo(wanted: Wanted<number>, { current, profile }: Situation): Desired<number> {
  if (current > wanted.value && !profile.allowLowering)
    return leave(`host has ${current}, more than the ${wanted.value} needed: ${wanted.because}`);
  return setTo(wanted.value, wanted.because);
}

/** The mirror of `raiseTo` for limits that protect by being low: a host that already has less keeps it. */
export function lowerTo(wanted: Wanted<number>, { current }: { readonly current: number }): Desired<number> {
  if (current < wanted.value)
    return leave(`host has ${current}, already below the ${wanted.value} wanted: ${wanted.because}`);
  return setTo(wanted.value, wanted.because);
}

/** Smallest power of two that is at least `count` (1 for anything below). */
export function powerOfTwoAtLeast(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(1, count)));
}

/** Largest power of two that is at most `count` (1 for anything below). */
export function powerOfTwoAtMost(count: number): number {
  return 2 ** Math.floor(Math.log2(Math.max(1, count)));
}

export function clamp(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
