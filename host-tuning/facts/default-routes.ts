/** Flags of a route, from the kernel's include/uapi/linux/route.h: usable, and one that turns packets away. */
const RTF_UP = 0x1;
const RTF_REJECT = 0x200;

function carriesTraffic(flagsText: string | undefined): boolean {
  if (flagsText === undefined || !/^[0-9a-f]{1,8}$/i.test(flagsText)) return false;
  const flags = Number.parseInt(flagsText, 16);
  return (flags & RTF_UP) !== 0 && (flags & RTF_REJECT) === 0;
}

/**
 * Interfaces with an IPv4 default route, from /proc/net/route: columns interface, destination, gateway, flags, ..., the
 * eighth is the mask; addresses in hexadecimal.
 *
 * @see https://docs.kernel.org/filesystems/proc.html#networking-info-in-proc-net
 */
export function parseDefaultRoutes4(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split("\n").slice(1)) {
    const [name, destination, , flags, , , , mask] = line.trim().split(/\s+/);
    if (name !== undefined && destination === "00000000" && mask === "00000000" && carriesTraffic(flags)) {
      names.add(name);
    }
  }
  return names;
}

/**
 * Interfaces with an IPv6 default route, from /proc/net/ipv6_route: destination, prefix length, source, its length, next
 * hop, metric, references, uses, flags, interface. A host without IPv6 routes lists a rejecting one on `lo`.
 */
export function parseDefaultRoutes6(text: string): Set<string> {
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    const [destination, prefix, , , , , , , flags, name] = line.trim().split(/\s+/);
    if (name !== undefined && /^0{32}$/.test(destination ?? "") && prefix === "00" && carriesTraffic(flags)) {
      names.add(name);
    }
  }
  return names;
}
