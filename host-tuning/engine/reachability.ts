import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import * as z from "zod";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { type Gateway, readGateway } from "./default-gateway.ts";

type Confirm = HostProfile["confirm"];

/** Longest time for one answer: the kernel asks a neighbour three times, a second apart. */
const ANSWER_MILLIS = 4000;
const POLL_MILLIS = 200;
const RETRY_PAUSE_MILLIS = 1000;
/** The discard port: whatever comes back from it, even a refusal, is an answer. */
const DISCARD_PORT = 9;

/**
 * What of the profile's confirmation does not answer, as one sentence; `undefined` when everything does. Tried again
 * until `deadlineMillis` (of performance.now()), once at least: a NIC that was reset takes seconds to come back.
 */
export async function whyNotReachable(
  host: Host,
  confirm: Confirm,
  deadlineMillis: number,
): Promise<string | undefined> {
  for (;;) {
    const faults = await Promise.all([
      confirm.gateway ? gatewayFault(host) : undefined,
      ...confirm.probes.map(async (probe) => await probeFault(probe)),
    ]);
    const found = faults.filter((fault) => fault !== undefined);
    if (found.length === 0) return undefined;
    if (performance.now() + RETRY_PAUSE_MILLIS >= deadlineMillis) return found.join("; ");
    await sleep(RETRY_PAUSE_MILLIS);
  }
}

async function gatewayFault(host: Host): Promise<string | undefined> {
  const gateway = await readGateway(host);
  if (gateway === undefined) return "no default route with a gateway";
  const isThere = (await isNeighbourReachable(host, gateway)) ?? (await isAnswering(gateway));
  return isThere ? undefined : `the gateway ${gateway.address} on ${gateway.device} does not answer`;
}

const neighboursSchema = z.array(
  z.object({ dst: z.string(), lladdr: z.string().optional(), state: z.array(z.string()).optional() }),
);
type Neighbour = z.output<typeof neighboursSchema>[number];

/**
 * Asks the kernel to ask: an entry that is set to "probe" is asked for by ARP or neighbour discovery at once, and is
 * REACHABLE only after an answer. Every gateway answers that, also those that drop ICMP and TCP (AWS's router does).
 *
 * @returns `undefined` where it cannot be told: no `ip`, or an entry that is never asked for (PERMANENT, NOARP)
 */
async function isNeighbourReachable(host: Host, gateway: Gateway): Promise<boolean | undefined> {
  const first = await readNeighbour(host, gateway);
  if (first === "unknown") return undefined;
  const states = first?.state ?? [];
  if (states.includes("PERMANENT") || states.includes("NOARP")) return undefined;
  if (first?.lladdr === undefined) await nudge(gateway);
  else {
    const { address, device } = gateway;
    const words = ["neigh", "change", address, "lladdr", first.lladdr, "dev", device, "nud", "probe"];
    const asked = await host.runTool("ip", words);
    if (asked?.exitCode !== 0) return undefined;
  }
  const untilMillis = performance.now() + ANSWER_MILLIS;
  while (performance.now() < untilMillis) {
    const now = await readNeighbour(host, gateway);
    if (now === "unknown") return undefined;
    if (now?.state?.includes("REACHABLE") === true) return true;
    if (now?.state?.includes("FAILED") === true) return false;
    await sleep(POLL_MILLIS);
  }
  return false;
}

async function readNeighbour(
  host: Host,
  { address, device }: Gateway,
): Promise<Neighbour | "unknown" | undefined> {
  const result = await host.runTool("ip", ["-j", "neigh", "show", "to", address, "dev", device]);
  if (result === undefined || result.exitCode !== 0) return "unknown";
  try {
    return neighboursSchema.parse(JSON.parse(result.stdout === "" ? "[]" : result.stdout))[0];
  } catch {
    // An `ip` that knows no JSON (busybox) tells nothing that could be relied on.
    return "unknown";
  }
}

/** A datagram that makes the kernel look for the gateway. */
async function nudge({ address, device, family }: Gateway): Promise<void> {
  const socket = createSocket(family === 6 ? "udp6" : "udp4");
  await new Promise<void>((done) => {
    // Sending may fail on a host that is cut off; the neighbour table says so then.
    socket.once("error", () => done());
    socket.send("", DISCARD_PORT, scoped(address, device), () => done());
  });
  socket.close();
}

/** A TCP answer of any kind. A firewall on this host that refuses for the gateway would be mistaken for it. */
async function isAnswering({ address, device }: Gateway): Promise<boolean> {
  const outcome = await tryConnect(scoped(address, device), DISCARD_PORT);
  return outcome === "connected" || outcome === "ECONNREFUSED";
}

function scoped(address: string, device: string): string {
  return address.startsWith("fe80:") ? `${address}%${device}` : address;
}

async function probeFault(probe: string): Promise<string | undefined> {
  const at = probe.lastIndexOf(":");
  const name = probe.slice(0, at).replaceAll(/^\[|\]$/g, "");
  const outcome = await tryConnect(name, Number(probe.slice(at + 1)));
  return outcome === "connected" ? undefined : `${probe} does not accept a connection (${outcome})`;
}

async function tryConnect(host: string, port: number): Promise<string> {
  return await new Promise((done) => {
    const socket = connect({ host, port });
    const timer = setTimeout(() => end(`no answer within ${ANSWER_MILLIS / 1000} s`), ANSWER_MILLIS);
    const end = (outcome: string): void => {
      clearTimeout(timer);
      socket.destroy();
      done(outcome);
    };
    socket.once("connect", () => end("connected"));
    socket.once("error", (error: NodeJS.ErrnoException) => end(error.code ?? error.message));
  });
}
