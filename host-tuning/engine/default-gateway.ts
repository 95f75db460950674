import type { Host } from "../sys/host.ts";

export interface Gateway {
  readonly address: string;
  readonly device: string;
  readonly family: 4 | 6;
}

interface Route extends Gateway {
  readonly metric: number;
}

/** Flags of a route, from the kernel's include/uapi/linux/route.h: usable, and by way of a gateway. */
const RTF_UP = 0x1;
const RTF_GATEWAY = 0x2;

/** The gateway of the default route that the kernel prefers; of IPv6 where there is none of IPv4. */
export async function readGateway(host: Host): Promise<Gateway | undefined> {
  const [ipv4 = "", ipv6 = ""] = await Promise.all(
    ["/proc/net/route", "/proc/net/ipv6_route"].map(async (path) => await host.readText(path)),
  );
  return preferred(parseGateways4(ipv4)) ?? preferred(parseGateways6(ipv6));
}

function preferred(routes: readonly Route[]): Gateway | undefined {
  return routes.toSorted((a, b) => a.metric - b.metric)[0];
}

/** /proc/net/route: interface, destination, gateway, flags, references, uses, metric, mask; addresses in hexadecimal as they lie in memory. */
export function parseGateways4(text: string): Route[] {
  return text
    .split("\n")
    .slice(1)
    .flatMap((line) => {
      const [device, destination, gateway = "", flags = "", , , metric, mask] = line.trim().split(/\s+/);
      const isDefault = destination === "00000000" && mask === "00000000";
      if (device === undefined || !isDefault || !isByGateway(flags) || !/^[0-9A-F]{8}$/i.test(gateway))
        return [];
      return [{ address: addressOf(gateway), device, family: 4 as const, metric: Number(metric) }];
    });
}

/** Little-endian, as every architecture that we support is. */
function addressOf(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
}

/** /proc/net/ipv6_route: destination, prefix length, source, its length, next hop, metric, references, uses, flags, interface. */
export function parseGateways6(text: string): Route[] {
  return text.split("\n").flatMap((line) => {
    const [destination, prefix, , , hop = "", metric = "", , , flags = "", device] = line.trim().split(/\s+/);
    const isDefault = /^0{32}$/.test(destination ?? "") && prefix === "00";
    if (device === undefined || !isDefault || !isByGateway(flags) || !/^[0-9a-f]{32}$/i.test(hop)) return [];
    // URL writes an address in its shortest form, as `ip` does.
    const address = new URL(`http://[${hop.match(/.{4}/g)?.join(":") ?? "::"}]`).hostname.slice(1, -1);
    return [{ address, device, family: 6 as const, metric: Number.parseInt(metric, 16) }];
  });
}

function isByGateway(flags: string): boolean {
  const bits = Number.parseInt(flags, 16);
  return (bits & RTF_UP) !== 0 && (bits & RTF_GATEWAY) !== 0;
}
