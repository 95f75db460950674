import type { FactReader } from "./fact-reader.ts";

const AVAILABLE = "/proc/sys/net/ipv4/tcp_available_congestion_control";

/**
 * TCP congestion controls that a write of net.ipv4.tcp_congestion_control would find: those in force, and those whose
 * module lies where the kernel loads it from by itself (tcp_bbr.ko, .ko.xz, .ko.zst below kernel/net/ipv4).
 *
 * @see https://docs.kernel.org/networking/ip-sysctl.html#tcp-variables
 */
export async function readCongestionControls(reader: FactReader, release: string | null): Promise<string[]> {
  const [loaded, modules] = await Promise.all([
    reader.text(AVAILABLE),
    release === null || !/^[\w.+~-]+$/.test(release)
      ? []
      : reader.entries(`/lib/modules/${release}/kernel/net/ipv4`),
  ]);
  const names = [...words(loaded ?? ""), ...modules.flatMap((file) => controlOfModule(file) ?? [])];
  return [...new Set(names)].toSorted();
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => /^[\w-]{1,15}$/.test(word));
}

/** "tcp_bbr.ko.xz" is bbr; tcp_diag only answers ss(8). */
function controlOfModule(file: string): string | undefined {
  const name = /^tcp_(\w{1,15})\.ko(?:\.\w+)?$/.exec(file)?.[1];
  return name === "diag" ? undefined : name;
}
