import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import { TuningError } from "../errors.ts";
import type { HostReport, NetworkRepair } from "../report/host-report.ts";
import type { Host } from "../sys/host.ts";
import type { RunContext } from "./run-context.ts";

type Family = NetworkRepair["families"][number];

/** Interfaces by which others reach this host, and the kinds of address that each has. */
export type Addressed = ReadonlyMap<string, readonly Family[]>;

/** How long addresses may take: DHCP asks for the first time within a second, and again after 2, 4 and 8. Our choice. */
export interface Patience {
  /** By themselves, once the link is up again. */
  readonly ownMillis: number;
  /** After their manager was asked to configure the interface anew. */
  readonly askedMillis: number;
  readonly pollMillis: number;
}

const PATIENCE: Patience = { ownMillis: 20_000, askedMillis: 40_000, pollMillis: 500 };

/**
 * For a run that a dead-man timer waits for: a quarter of its time, as confirming takes half. The timer's rollback cannot
 * begin before that run ends.
 */
export function patienceWithin(timeoutSeconds: number): Patience {
  const millis = timeoutSeconds * 1000;
  return {
    ...PATIENCE,
    ownMillis: Math.min(PATIENCE.ownMillis, millis / 12),
    askedMillis: Math.min(PATIENCE.askedMillis, millis / 6),
  };
}

const addressesSchema = z.array(
  z.object({
    ifname: z.string(),
    addr_info: z.array(z.object({ family: z.string().optional(), scope: z.string().optional() })).default([]),
  }),
);

const FAMILIES: ReadonlyMap<string | undefined, Family> = new Map([
  ["inet", "IPv4"],
  ["inet6", "IPv6"],
]);

/**
 * Does what may reset a NIC, and sees to it that the host's addresses are there afterwards.
 *
 * A driver that resets its NIC takes the link down for seconds. systemd-networkd drops the address then and asks for it
 * again; where the kernel was too busy with the reset to answer it within 25 s, it calls the link failed and leaves it
 * without an address for good (seen: 252.39 on igb, "Could not set DHCPv4 address: Connection timed out"). What does
 * not come back by itself is asked for, and what became of it stands in the report.
 */
export async function keepingAddresses<T>(
  host: Host,
  run: Pick<RunContext, "network" | "timed">,
  work: () => Promise<T>,
  patience: Patience = PATIENCE,
): Promise<T> {
  if (!host.isLive) return await work();
  const before = (await readAddressed(host)) ?? new Map<string, readonly Family[]>();
  const result = await work();
  if (before.size > 0) {
    run.network.push(...(await run.timed("addresses", async () => await bringBack(host, before, patience))));
  }
  return result;
}

/** What a report says of lost addresses, as it is now: a later reset, or a slow server, may have brought them back. */
export async function addressesNow(host: Host, report: HostReport): Promise<HostReport> {
  if (report.network?.some(({ state }) => state === "lost") !== true) return report;
  const now = await readAddressed(host);
  const network = report.network.map((repair): NetworkRepair => {
    const families = now?.get(repair.device) ?? [];
    const isBack = repair.state === "lost" && repair.families.every((family) => families.includes(family));
    if (!isBack) return repair;
    return {
      ...repair,
      state: "brought-back",
      because: `${repair.because}; there again by the end of this run`,
    };
  });
  return { ...report, network };
}

/** `undefined` where it cannot be told: no `ip`, one that knows no JSON, or one that the kernel does not answer. */
export async function readAddressed(host: Host): Promise<Addressed | undefined> {
  const result = await host.runTool("ip", ["-j", "address", "show"]);
  if (result?.exitCode !== 0) return undefined;
  let links: z.output<typeof addressesSchema>;
  try {
    links = addressesSchema.parse(JSON.parse(result.stdout === "" ? "[]" : result.stdout));
  } catch {
    return undefined;
  }
  return new Map(
    links.map(({ ifname, addr_info: addresses }) => {
      const reachable = addresses.filter(({ scope }) => scope === "global");
      const families = new Set(reachable.flatMap(({ family }) => FAMILIES.get(family) ?? []));
      return [ifname, [...families].toSorted()];
    }),
  );
}

async function bringBack(host: Host, before: Addressed, patience: Patience): Promise<NetworkRepair[]> {
  // Failed links are not waited for: their manager has given them up.
  const waitedFor = await lostWithin(host, before, patience.ownMillis, patience, isGivenUp);
  if (waitedFor.size === 0) return [];
  const asked = new Map<string, string>();
  for (const device of waitedFor.keys()) {
    const isUp = await hasCarrier(host, device);
    asked.set(device, isUp ? await askManager(host, device) : "its link is down, so nobody was asked");
  }
  const lost = await lostWithin(host, waitedFor, patience.askedMillis, patience);
  return [...waitedFor].map(([device, families]) => ({
    device,
    families: [...(lost.get(device) ?? families)],
    state: lost.has(device) ? "lost" : "brought-back",
    because: `${families.join(" and ")} did not come back after the link was reset; ${asked.get(device) ?? ""}`,
  }));
}

/** What is missing once everything is back, or time is over, or all that is missing is given up; nothing where nobody can tell. */
async function lostWithin(
  host: Host,
  before: Addressed,
  millis: number,
  { pollMillis }: Patience,
  isHopeless: (host: Host, device: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<Addressed> {
  const untilMillis = performance.now() + millis;
  let lost: Addressed | undefined;
  for (;;) {
    const now = await readAddressed(host);
    // A kernel that is busy with a reset does not answer; that is no news of any address.
    if (now !== undefined) lost = missingOf(before, now);
    if (lost?.size === 0 || performance.now() >= untilMillis) return lost ?? new Map();
    const devices = [...(lost?.keys() ?? [])];
    const hopeless = await Promise.all(devices.map(async (device) => await isHopeless(host, device)));
    if (lost !== undefined && hopeless.every(Boolean)) return lost;
    await sleep(pollMillis);
  }
}

/** An interface that is gone has lost nothing: functions are removed on purpose. */
function missingOf(before: Addressed, now: Addressed): Addressed {
  return new Map(
    [...before].flatMap(([device, families]): [string, readonly Family[]][] => {
      const there = now.get(device);
      const missing = families.filter((family) => there?.includes(family) === false);
      return missing.length === 0 ? [] : [[device, missing]];
    }),
  );
}

async function isGivenUp(host: Host, device: string): Promise<boolean> {
  return (await networkdStateOf(host, device)) === "failed";
}

/** What systemd-networkd says of a link (where sd-network reads it); `undefined` where it does not run. */
async function networkdStateOf(host: Host, device: string): Promise<string | undefined> {
  const index = (await host.readText(`/sys/class/net/${device}/ifindex`))?.trim();
  if (index === undefined) return undefined;
  const text = (await host.readText(`/run/systemd/netif/links/${index}`)) ?? "";
  return /^ADMIN_STATE=(\S+)$/m.exec(text)?.[1];
}

/** An interface that was taken down has no carrier to read; asking for its address would only take it up again. */
async function hasCarrier(host: Host, device: string): Promise<boolean> {
  try {
    return (await host.readText(`/sys/class/net/${device}/carrier`))?.trim() === "1";
  } catch (error) {
    if (error instanceof TuningError && error.code === "HOST_READ") return false;
    throw error;
  }
}

/** Has the interface configured anew, and says what was done. */
async function askManager(host: Host, device: string): Promise<string> {
  const state = await networkdStateOf(host, device);
  if (state === undefined || state === "unmanaged") {
    return "systemd-networkd does not manage it: ask what does to bring it up again";
  }
  const result = await host.runTool("networkctl", ["reconfigure", device]);
  const did = `networkctl reconfigure ${device} (systemd-networkd: ${state})`;
  if (result?.exitCode === 0) return did;
  return `${did} did not work: ${result?.stderr.trim() ?? "networkctl is not installed"}`;
}
