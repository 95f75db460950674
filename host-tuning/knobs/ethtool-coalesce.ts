import * as z from "zod";
import type { NicFacts } from "../facts/host-facts.ts";
import type { Host } from "../sys/host.ts";
import { clamp, leave, setTo } from "./desired.ts";
import { askEthtool, unreadableAnswer } from "./ethtool.ts";
import { type AnyKnob, type Desired, type DesiredInput, defineKnob } from "./knob.ts";
import { NO_PHYSICAL_NIC, decideNic, physicalNics } from "./nic-targets.ts";

/**
 * 100,000 interrupts a second at most. The smallest delay that Intel's older drivers take besides 0: they refuse 4 to 9
 * (EINVAL, measured on igb with Linux 6.1) and read 1 to 3 as modes.
 */
const SHORT_MICROS = 10;

/** A delay that nobody notices on a path of milliseconds. Our choice. */
const LONGEST_MICROS = 100;

/** Packets that one poll takes from a queue (NAPI_POLL_WEIGHT). */
const PACKETS_PER_POLL = 64;

/** Drivers whose 1 to 4 microseconds are modes that find the delay by themselves, not a delay. */
const MODE_DRIVERS: ReadonlySet<string> = new Set(["e1000", "e1000e", "igb", "igbvf", "igc"]);

/** Drivers whose hardware cannot do without a delay: igbvf takes 0 and gives 1, which it would not take (Linux 6.1). */
const DELAYING_DRIVERS: ReadonlySet<string> = new Set(["igbvf"]);

const SOURCES = [
  "https://man7.org/linux/man-pages/man8/ethtool.8.html",
  "https://docs.kernel.org/networking/ethtool-netlink.html#coalesce-get",
  "https://github.com/amzn/amzn-drivers/blob/64788ef/kernel/linux/ena/ENA_Linux_Best_Practices.rst",
] as const;

/** What `ethtool -c` prints: switches and numbers by name, those that the driver does not have left out. */
export interface CoalesceSettings {
  readonly switches: ReadonlyMap<string, boolean>;
  readonly numbers: ReadonlyMap<string, number>;
}

/**
 * Parses `ethtool -c`. Lines with "n/a" (since 5.10) are left out; older versions print "off" and 0 for what a driver
 * does not have.
 *
 * @returns `undefined` when it is no such text
 */
export function parseCoalesce(text: string): CoalesceSettings | undefined {
  if (!text.includes("Coalesce parameters for")) return undefined;
  const switches = new Map<string, boolean>();
  const numbers = new Map<string, number>();
  const [, rx, tx] = /^Adaptive RX: (\S+)\s+TX: (\S+)/m.exec(text) ?? [];
  if (rx === "on" || rx === "off") switches.set("adaptive-rx", rx === "on");
  if (tx === "on" || tx === "off") switches.set("adaptive-tx", tx === "on");
  for (const [, name = "", value = ""] of text.matchAll(/^([a-z-]+):[ \t]+(\d+)[ \t]*$/gm)) {
    numbers.set(name, Number(value));
  }
  return { switches, numbers };
}

async function readCoalesce(host: Host, nic: string, what: string): Promise<CoalesceSettings | undefined> {
  const stdout = await askEthtool(host, nic, "-c", what);
  if (stdout === undefined) return undefined;
  const settings = parseCoalesce(stdout);
  if (settings === undefined) throw unreadableAnswer(nic, "-c", what, stdout);
  return settings;
}

type Direction = "rx" | "tx";

const COMMON = {
  family: "nic",
  scope: "nic",
  phase: "late",
  takesEffect: "now",
  survivesReboot: false,
  isReversible: true,
  sources: SOURCES,
  targets: physicalNics,
  absentBecause: NO_PHYSICAL_NIC,
} as const;

/**
 * Adaptive coalescing: the driver watches the packet rate and moves the delay by itself. On for throughput, where it
 * saves interrupts; off for latency, where its guess is late by a few packets each time traffic changes.
 */
export function adaptiveKnob(direction: Direction): AnyKnob {
  const name = `adaptive-${direction}`;
  return defineKnob<boolean>({
    ...COMMON,
    id: `ethtool.coalesce.${name}`,
    title: `Driver finds the ${wordOf(direction)} interrupt delay by itself`,
    unit: "flag",
    after: ["sriov_numvfs", "ethtool.channels.combined"],
    risk: { level: "low", what: "more interrupts without it, some more delay with it" },
    kernelDefault: "the driver's: on with mlx5, i40e and ice, off with ena before 2.9 and most others",
    anchors: { TuneD: "as the profile's net plugin says (coalesce)" },
    value: z.boolean(),

    async read(host, target) {
      return (await readCoalesce(host, target.name, name))?.switches.get(name);
    },

    desired: (input) =>
      decideNic(input, () => {
        switch (input.profile.preset) {
          case "latency":
            return setTo(
              false,
              "the driver's guess follows a change of traffic late, and the preset is latency",
            );
          case "throughput":
          case "gpu":
            return setTo(
              true,
              `preset ${input.profile.preset}: fewer interrupts while packets come close together`,
            );
          case "balanced":
            return leave("the driver's own default weighs delay against interrupts already");
        }
        return input.profile.preset satisfies never;
      }),

    writes: (value, target, before) => [
      {
        kind: "tool",
        command: ["ethtool", "-C", target.name, name, onOff(value)],
        undo: ["ethtool", "-C", target.name, name, onOff(before)],
      },
    ],
    format: onOff,
  });
}

const delaySchema = z.preprocess(
  (value) => (typeof value === "number" ? { micros: value } : value),
  z.strictObject({ micros: z.int().min(0).max(65_535), isAdaptive: z.boolean().optional() }),
);

type Delay = z.output<typeof delaySchema>;

/**
 * Microseconds from a packet to its interrupt. For latency 0 where interrupts have CPUs of their own, else the 10 µs
 * that bound a CPU's interrupts; for throughput the time in which one poll's packets arrive, where the driver does not
 * find the delay by itself. Devices have steps of 2 µs and more, so a delay that reads back a little off is taken.
 */
export function delayKnob(direction: Direction): AnyKnob {
  const name = `${direction}-usecs`;
  return defineKnob<Delay>({
    ...COMMON,
    id: `ethtool.coalesce.${name}`,
    title: `Delay of a NIC queue's ${wordOf(direction)} interrupt`,
    unit: "microseconds",
    after: ["sriov_numvfs", "ethtool.channels.combined", `ethtool.coalesce.adaptive-${direction}`],
    rediscoverAfter: ["sriov_numvfs", `ethtool.coalesce.adaptive-${direction}`],
    risk: {
      level: "medium",
      what: "at 0 every packet may interrupt its CPU: with small packets at line rate it does little else",
    },
    kernelDefault: "the driver's: 3 on igb (a mode), 50 on i40e and ice, 8 on mlx5, 64 for tx on ena",
    anchors: { TuneD: "as the profile's net plugin says (coalesce)" },
    value: delaySchema,

    async read(host, target) {
      const settings = await readCoalesce(host, target.name, name);
      const micros = settings?.numbers.get(name);
      if (micros === undefined) return undefined;
      const isAdaptive = settings?.switches.get(`adaptive-${direction}`);
      return isAdaptive === undefined ? { micros } : { micros, isAdaptive };
    },

    desired: (input) => decideNic(input, (nic) => desiredDelay(nic, input, direction)),

    writes: (value, target, before) => [
      {
        kind: "tool",
        command: ["ethtool", "-C", target.name, name, String(value.micros)],
        undo: ["ethtool", "-C", target.name, name, String(before.micros)],
      },
    ],
    isSatisfied: (current, wanted) => isAsNear(current.micros, wanted.micros),
    format: ({ micros }) => String(micros),
    explainShortfall: (wanted, found) =>
      found.isAdaptive === true
        ? "the driver finds the delay by itself (adaptive) and moves it"
        : `the driver took ${found.micros} for ${wanted.micros}: it rounds to steps that its hardware has`,
  });
}

/** Is the delay what was asked for as far as hardware has steps: within a tenth, and exact below 10 µs, where 0 is off. */
function isAsNear(current: number, wanted: number): boolean {
  return wanted < SHORT_MICROS ? current === wanted : Math.abs(current - wanted) <= wanted / 10;
}

function desiredDelay(
  nic: NicFacts,
  { profile, current }: DesiredInput<Delay>,
  direction: Direction,
): Desired<Delay> {
  const isMode = isModeOf(nic, current.micros);
  switch (profile.preset) {
    case "balanced":
      return leave("the driver's own default weighs delay against interrupts already");
    case "latency": {
      const hasOwnCpus = profile.cpu.reserved !== undefined && profile.cpu.reserved !== "";
      const canBeZero = !DELAYING_DRIVERS.has(nic.driver ?? "");
      const micros = hasOwnCpus && canBeZero ? 0 : SHORT_MICROS;
      if (current.micros < micros && !isMode && current.isAdaptive !== true) {
        return leave(
          `host has ${current.micros}, below the ${micros} wanted: a queue may interrupt that often`,
        );
      }
      const because =
        micros === 0
          ? `interrupts have CPUs ${profile.cpu.reserved} to themselves: no packet waits`
          : canBeZero
            ? `at most ${1e6 / SHORT_MICROS} interrupts a second on a CPU that the service needs too`
            : `${nic.driver}'s hardware cannot do without a delay; the shortest that it keeps`;
      return setTo({ micros }, because);
    }
    case "throughput":
    case "gpu": {
      if (current.isAdaptive !== undefined)
        return leave("the driver finds the delay by itself (adaptive coalescing)");
      if (isMode)
        return leave(
          `${current.micros} is a mode of ${nic.driver ?? "the driver"} that finds the delay by itself`,
        );
      // igb with queue pairs shows 0 for transmit, which shares the receive interrupt, and refuses anything else.
      if (direction === "tx" && current.micros === 0) {
        return leave("0: this driver's transmit queues have no delay of their own now");
      }
      return raisedDelay(nic, current);
    }
  }
  return profile.preset satisfies never;
}

function raisedDelay(nic: NicFacts, current: Delay): Desired<Delay> {
  if (nic.speedMbitPerSec === null) {
    return leave("the link's speed is not known, so neither is what a delay gathers");
  }
  const bits = PACKETS_PER_POLL * (nic.mtuBytes ?? 1500) * 8;
  const perQueue = nic.speedMbitPerSec / Math.max(1, nic.rxQueues);
  const micros = clamp(Math.round(bits / perQueue), SHORT_MICROS, LONGEST_MICROS);
  const because = `${PACKETS_PER_POLL} full packets come in ${Math.round(bits / perQueue)} microseconds on each of ${nic.rxQueues} queues, at most ${LONGEST_MICROS}`;
  if (current.micros > micros)
    return leave(`host has ${current.micros}, more than the ${micros} needed: ${because}`);
  return setTo({ micros }, because);
}

function isModeOf(nic: NicFacts, micros: number): boolean {
  return nic.driver !== null && MODE_DRIVERS.has(nic.driver) && micros >= 1 && micros <= 4;
}

function wordOf(direction: Direction): string {
  return direction === "rx" ? "receive" : "transmit";
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
