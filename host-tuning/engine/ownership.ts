import type { HostFacts, OwnershipFacts } from "../facts/host-facts.ts";
import { canonicalSysctlKey } from "../facts/sysctl-d.ts";
import type { AnyKnob, Write } from "../knobs/knob.ts";

/**
 * What becomes of a value that somebody else sets too. `free`: nobody else, or they want the same. `take-over`: we write
 * it, and say what may bring theirs back. `yield`: theirs stays. `refuse`: theirs stays whatever the profile says.
 */
export interface OwnershipVerdict {
  readonly kind: "free" | "take-over" | "yield" | "refuse";
  /** "" for what is free. */
  readonly because: string;
}

const FREE: OwnershipVerdict = { kind: "free", because: "" };

/** Holds of an owner, the strongest first: the strongest that disagrees decides. */
const STRENGTHS = ["required", "always", "start", "boot"] as const;

/** What a claim of ownership may name a knob by: its id, the files it writes, the tools it runs. */
function keysOf(knob: AnyKnob, writes: readonly Write[]): ReadonlySet<string> {
  const keys = new Set([canonicalSysctlKey(knob.id)]);
  for (const write of writes) {
    if (write.kind === "config-file") keys.add(write.path);
    if (write.kind === "tool") keys.add(write.command.slice(0, 2).join(" "));
    if (write.kind !== "kernel-file") continue;
    // Writing one of a pair sets the other to 0, so whoever owns the other owns this one too.
    for (const path of [write.path, write.counterpart ?? write.path]) {
      keys.add(path);
      if (path.startsWith("/proc/sys/")) keys.add(canonicalSysctlKey(path.slice("/proc/sys/".length)));
    }
  }
  return keys;
}

function isAbout(claim: OwnershipFacts, keys: ReadonlySet<string>): boolean {
  const key = canonicalClaimKey(claim.key);
  if (keys.has(key)) return true;
  if (!key.startsWith("/") || !key.includes("*")) return false;
  const parts = key.split("/");
  return [...keys].some((candidate) => {
    const others = candidate.split("/");
    return others.length === parts.length && parts.every((part, index) => isMatch(part, others[index] ?? ""));
  });
}

/** Absolute paths stay as they are; net/ipv4/x and net.ipv4.x are one key. */
function canonicalClaimKey(key: string): string {
  return key.startsWith("/") ? key : canonicalSysctlKey(key);
}

/** One part of a path against one with `*` in it, from left to right: a pattern from a file must not cost time. */
function isMatch(pattern: string, text: string): boolean {
  const [head = "", ...rest] = pattern.split("*");
  const tail = rest.pop();
  if (tail === undefined) return pattern === text;
  if (!text.startsWith(head) || !text.endsWith(tail) || text.length < head.length + tail.length) return false;
  let at = head.length;
  for (const part of rest) {
    const found = text.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return at + tail.length <= text.length;
}

/** Everybody else on this host who sets this knob, in the order of the facts. */
export function claimsOn(knob: AnyKnob, writes: readonly Write[], facts: HostFacts): OwnershipFacts[] {
  const keys = keysOf(knob, writes);
  return facts.ownership.filter((claim) => claim.owner !== "bedplate" && isAbout(claim, keys));
}

/** A claim in a few words: `tuned /etc/tuned/x/tuned.conf: >2048`. */
export function claimText({ owner, source, value, hold }: OwnershipFacts): string {
  const where = hold === "containers" ? " (in containers)" : "";
  return `${owner} ${source}${value === null ? "" : `: ${value}`}${where}`;
}

/**
 * Who has the last word on a value that we would write.
 *
 * A file that is read once at boot is taken over: we write after it, and say which file to change, since the next
 * `sysctl --system` brings its value back. What a running tuner sets is left to it, unless the profile overrides the
 * knob. What Kubernetes needs is never written over: a node that drops out is worse than one that is not tuned.
 */
export function decideOwnership(
  claims: readonly OwnershipFacts[],
  wanted: string,
  isOverride: boolean,
): OwnershipVerdict {
  const opponents = claims.filter((claim) => claim.hold !== "containers" && !agrees(claim, wanted));
  for (const strength of STRENGTHS) {
    const opponent = opponents.find((claim) => (claim.hold ?? "boot") === strength);
    if (opponent !== undefined) return verdictOn(opponent, isOverride);
  }
  return FREE;
}

function verdictOn(opponent: OwnershipFacts, isOverride: boolean): OwnershipVerdict {
  const { owner, source, value, hold = "boot" } = opponent;
  const theirs = value === null ? "a value of its own" : `"${value}"`;
  switch (hold) {
    case "required":
      return { kind: "refuse", because: `${owner} needs ${theirs} here and fails with another (${source})` };
    case "always":
    case "start": {
      const when = hold === "always" ? "sets it again and again" : `sets it to ${theirs} when it starts`;
      return isOverride
        ? { kind: "take-over", because: `taken from ${owner}, which ${when} (${source})` }
        : {
            kind: "yield",
            because: `${owner} ${when} (${source}); an override in the profile takes it over`,
          };
    }
    case "boot": {
      const again = owner === "sysctl.d" ? 'a restart of systemd-sysctl or "sysctl --system"' : "it";
      return {
        kind: "take-over",
        because: `${source} has ${theirs}, which ${again} would bring back: change it there`,
      };
    }
    case "containers":
      return FREE;
  }
  return hold satisfies never;
}

/** Do they want what we want: the same text, or in TuneD's words at least (`>`) or at most (`<`) so much. */
function agrees({ value }: OwnershipFacts, wanted: string): boolean {
  if (value === null) return false;
  const bound = /^([<>])\s*(\d+)$/.exec(value);
  if (bound?.[2] === undefined) return words(value) === words(wanted);
  const limit = Number(bound[2]);
  return /^\d+$/.test(wanted) && (bound[1] === ">" ? Number(wanted) >= limit : Number(wanted) <= limit);
}

function words(text: string): string {
  return text.trim().split(/\s+/).join(" ");
}
