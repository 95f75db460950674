import type * as z from "zod";
import type { ArgumentName } from "../boot-loader/command-line.ts";
import type { EntryLoader } from "../boot-loader/entry-files.ts";
import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";

export type Family =
  | "net"
  | "vm"
  | "kernel"
  | "fs"
  | "systemd"
  | "kubernetes"
  | "memory"
  | "block"
  | "irq"
  | "nic"
  | "sriov"
  | "cpu"
  | "gpu"
  | "boot";

export type Unit =
  | "bytes"
  | "KiB"
  | "pages"
  | "microseconds"
  | "milliseconds"
  | "seconds"
  | "connections"
  | "packets"
  | "files"
  | "requests"
  | "entries"
  | "queues"
  | "functions"
  | "maps"
  | "ports"
  | "percent"
  | "flag"
  | "enum"
  | "cpus"
  | "hexmask"
  | "text";

/** The tuners whose settings docs/coverage.md compares with ours. */
export type Tuner = "TuneD" | "rpk" | "perftune.py" | "NTO" | "saptune" | "bpftune" | "EKS AMI";

/** A knob either names a value and says why, or says why it leaves the host alone. */
export type Desired<V> =
  | { readonly kind: "set"; readonly value: V; readonly because: string }
  | { readonly kind: "leave"; readonly because: string };

/** Write text into a kernel file in place. The engine saves the exact bytes that were there and puts them back. */
export interface KernelFileWrite {
  readonly kind: "kernel-file";
  readonly path: string;
  readonly text: string;
  /** Text that has to be written first, as 0 before another VF count; on rollback too. */
  readonly via?: string;
  /**
   * Path that the kernel zeroes when this one is written (vm.dirty_bytes and vm.dirty_ratio). Both originals are
   * saved and rollback writes the one that was not 0.
   */
  readonly counterpart?: string;
  /**
   * How long to write again while the file holds something else: hugepages come as the kernel compacts memory. It ends
   * earlier when writing does not get any further.
   */
  readonly retrySeconds?: number;
}

/** Create or replace a configuration file as a whole (temporary file, fsync, rename). Rollback restores or removes it. */
export interface ConfigFileWrite {
  readonly kind: "config-file";
  readonly path: string;
  readonly text: string;
  /**
   * The daemon has to take notice before the next step is written, and not after all of them: irqbalance would move an
   * interrupt that is pinned before it is told to leave it.
   */
  readonly reloadAtOnce?: true;
  /** Commands that make a daemon take notice, after the write and after a rollback. */
  readonly reload?: readonly (readonly [tool: string, ...args: string[]])[];
}

/** Run a tool that has no file to write to (ethtool). `undo` is made from the value that was read before. */
export interface ToolWrite {
  readonly kind: "tool";
  readonly command: readonly [tool: string, ...args: string[]];
  readonly undo: readonly [tool: string, ...args: string[]];
  /** What it does outlives a reboot (`systemctl enable`), so that rollback undoes it after one as well. */
  readonly survivesReboot?: true;
}

/**
 * Give one argument of the kernel's command line these words in every entry of a boot loader whose entries are files, and
 * in what later entries are made from; no words take it away. Everything else in those files stays byte for byte, so that
 * several knobs and other programs can share them. Rollback puts this argument's old words back, and no other's.
 */
export interface BootEntriesWrite {
  readonly kind: "boot-entries";
  readonly loader: EntryLoader;
  readonly argument: ArgumentName;
  readonly words: readonly string[];
}

export type Write = KernelFileWrite | ConfigFileWrite | ToolWrite | BootEntriesWrite;

/** What a knob acts on when it is not the whole host: `eth0`, `nvme0n1`, `node0`, `irq 44`. */
export interface Target {
  /** Short name shown to people and part of the step's key; "" for the whole host. */
  readonly name: string;
}

export const WHOLE_HOST: Target = { name: "" };

export interface DesiredInput<V> {
  readonly facts: HostFacts;
  readonly profile: HostProfile;
  readonly current: V;
  readonly target: Target;
}

/**
 * A knob: one setting of the host, everything there is to know about it, in one file. The engine knows knobs only by
 * this contract, so plan, script, journal, verify, rollback and documentation cost a knob nothing.
 */
export interface Knob<V> {
  /** The kernel's or vendor's own word: `net.core.somaxconn`, `queue/scheduler`. */
  readonly id: string;
  /** What it is, one line, for people. */
  readonly title: string;
  readonly family: Family;
  readonly unit: Unit;
  /** Where a value lives: `netns` means each network namespace has its own, so the host's does not reach a container. */
  readonly scope: "host" | "netns" | "nic" | "disk" | "cpu" | "node" | "irq" | "unit";
  /** Before the network comes up, or after devices have been found. */
  readonly phase: "early" | "late";
  readonly takesEffect: "now" | "new-sockets" | "new-processes" | "service-restart" | "reboot";
  /** Does the value outlive a reboot by itself (a configuration file), or is it written at every boot. */
  readonly survivesReboot: boolean;
  readonly risk: { readonly level: "low" | "medium" | "high"; readonly what: string };
  readonly isReversible: boolean;
  /**
   * A wrong value can cut the host off or keep it from booting (MTU, channels, boot arguments). Apply then arms the
   * dead-man timer before it writes, and takes the change back unless it is confirmed in time.
   */
  readonly canCutOff?: boolean;
  /** Consent that the profile has to give by name before this knob writes; `isReversible: false` asks for "irreversible". */
  readonly needsConsent?: "data-loss";
  /** What other tuners set here and when, in short: "2048, raise only". docs/coverage.md is made of it. */
  readonly anchors?: Readonly<Partial<Record<Tuner, string>>>;
  /** Knobs whose write resets this one: they come before it in the registry, whose order is the order of writes. */
  readonly after?: readonly string[];
  /**
   * Those of `after` whose write gives this knob other targets (new queues, interrupts, functions) or other values to
   * start from. When one of them is written, this knob waits, and is decided anew from facts that are read again.
   */
  readonly rediscoverAfter?: readonly string[];
  /** What a stock kernel has, in words: "4096 since Linux 5.4, 128 before". */
  readonly kernelDefault: string;
  /** Kernel versions that have it, in words where it moved; absent when all supported kernels do. */
  readonly kernelRange?: string;
  readonly sources: readonly [string, ...string[]];
  /** Checks an override or a plan's value; the engine never casts. */
  readonly value: z.ZodType<V>;
  /** What it acts on, in a stable order; absent: the whole host once. Empty: nothing on this host to act on. */
  targets?(facts: HostFacts, profile: HostProfile): readonly Target[];
  /** Why `targets` may be empty, for the report. */
  readonly absentBecause?: string | ((facts: HostFacts) => string);
  /**
   * The value in force, re-read from the kernel; `undefined` when this host does not have the knob.
   * Must read what is effective (effective_affinity_list, `ethtool -g` current), not what was asked for.
   */
  read(host: Host, target: Target): Promise<V | undefined>;
  /** Why `read` gives `undefined` here, where there is more to say than that the host has none. */
  readAbsence?(host: Host, target: Target): Promise<string | undefined>;
  /** Pure. The value this host should have, from its facts and its profile. */
  desired(input: DesiredInput<V>): Desired<V>;
  /** Pure. The writes that bring `value` about; `before` is what `read` gave. */
  writes(value: V, target: Target, before: V): readonly Write[];
  /** Is `current` as good as `wanted`; absent: equal text. */
  isSatisfied?(current: V, wanted: V): boolean;
  /** Is `wanted` configured already and a reboot away from being in force; then nothing is written. */
  isPending?(current: V, wanted: V): boolean;
  /** For people; absent: `String(value)`. */
  format?(value: V): string;
  /** When a read-back differs: what that means and what to do, from the two values. */
  explainShortfall?(wanted: V, found: V): string;
  /** What the host says about a shortfall, read only then: "node 0 has 12 MiB free". */
  readShortfall?(host: Host, target: Target): Promise<string | undefined>;
  /** What this host has counted or measured that speaks for or against the setting; read by `explain` alone. */
  evidence?(host: Host, target: Target): Promise<string | undefined>;
}

/** A knob whose value type the registry does not need to know. */
export type AnyKnob = Knob<unknown>;

/** Checks a knob's shape at compile time, then erases its value type for the registry. */
export function defineKnob<V>(knob: Knob<V>): AnyKnob {
  return knob;
}

/** Key of one step: the knob's id, and the target in brackets where there is one: `queue/scheduler[nvme0n1]`. */
export function stepKey(knobId: string, target: Target): string {
  return target.name === "" ? knobId : `${knobId}[${target.name}]`;
}

/** A step's key, or a knob's id, in its parts; a target that is `undefined` means every one the knob has. */
export function parseStepKey(key: string): { readonly id: string; readonly target: string | undefined } {
  const [, id, target] = /^([^[\]]+)\[(.+)\]$/s.exec(key) ?? [];
  return id === undefined ? { id: key, target: undefined } : { id, target };
}
