import { execFileSync } from "node:child_process";
import { createServer } from "node:net";
import { readGateway } from "../../../host-tuning/engine/default-gateway.ts";
import { whyNotReachable } from "../../../host-tuning/engine/reachability.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";

/**
 * A program for reachability.test.ts, in a network namespace of its own: a real gateway behind a veth pair, asked while
 * it answers, while it is deaf, and when the link is gone.
 */
export interface RoundResult {
  readonly gateway: unknown;
  readonly gateway6: unknown;
  readonly answers: readonly (string | undefined)[];
  readonly firstContact: string | undefined;
  readonly deaf: string | undefined;
  readonly back: string | undefined;
  readonly noLink: string | undefined;
  readonly over6: string | undefined;
  readonly deaf6: string | undefined;
}

const host = openHost("/");
const ip = (...args: string[]): void => {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
};
const inGateway = (...args: string[]): void => ip("netns", "exec", "gw", ...args);
const once = (): number => performance.now();

ip("link", "set", "lo", "up");
ip("netns", "add", "gw");
ip("link", "add", "up0", "type", "veth", "peer", "name", "gw0", "netns", "gw");
ip("addr", "add", "10.9.0.2/24", "dev", "up0");
ip("link", "set", "up0", "up");
inGateway("ip", "addr", "add", "10.9.0.1/24", "dev", "gw0");
inGateway("ip", "addr", "add", "fd00:9::1/64", "dev", "gw0", "nodad");
inGateway("ip", "link", "set", "gw0", "up");
ip("route", "add", "default", "via", "10.9.0.1");

const server = createServer().listen(0, "127.0.0.1");
await new Promise((done) => server.once("listening", done));
const address = server.address();
const port = typeof address === "object" && address !== null ? address.port : 0;

const confirm = { timeoutSeconds: 10, gateway: true, probes: [] as string[] };
const firstContact = await whyNotReachable(host, confirm, once());
const answers = [
  await whyNotReachable(host, confirm, once()),
  await whyNotReachable(host, { ...confirm, probes: [`127.0.0.1:${port}`] }, once()),
  await whyNotReachable(host, { ...confirm, gateway: false, probes: ["127.0.0.1:1"] }, once()),
];
const gateway = await readGateway(host);
// The entry is REACHABLE from a moment ago, and the kernel would believe it for half a minute more.
inGateway("sysctl", "-qw", "net.ipv4.conf.gw0.arp_ignore=8");
const deaf = await whyNotReachable(host, confirm, once());
inGateway("sysctl", "-qw", "net.ipv4.conf.gw0.arp_ignore=0");
const back = await whyNotReachable(host, confirm, once() + 10_000);
ip("link", "set", "up0", "down");
const noLink = await whyNotReachable(host, confirm, once());
ip("link", "set", "up0", "up");
ip("addr", "flush", "dev", "up0");
ip("addr", "add", "fd00:9::2/64", "dev", "up0", "nodad");
ip("-6", "route", "add", "default", "via", "fd00:9::1", "dev", "up0");
const gateway6 = await readGateway(host);
const over6 = await whyNotReachable(host, confirm, once() + 10_000);
inGateway("ip", "addr", "flush", "dev", "gw0");
const deaf6 = await whyNotReachable(host, confirm, once());
server.close();
const result: RoundResult = {
  gateway,
  gateway6,
  firstContact,
  answers,
  deaf,
  back,
  noLink,
  over6,
  deaf6,
};
process.stdout.write(JSON.stringify(result));
