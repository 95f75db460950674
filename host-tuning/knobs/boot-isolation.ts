import type { HostFacts } from "../facts/host-facts.ts";
import type { HostProfile } from "../profile/host-profile.ts";
import type { Host } from "../sys/host.ts";
import { formatKernelList, parseKernelList } from "../sys/kernel-list.ts";

/** Which CPUs boot arguments keep free, or why none. */
export type BootIsolation =
  | {
      readonly kind: "isolate";
      readonly isolated: string;
      readonly housekeeping: string;
      readonly because: string;
    }
  | { readonly kind: "leave"; readonly because: string };

/**
 * The CPUs that isolcpus, nohz_full and rcu_nocbs name: all but the reserved ones, which by default are the core that the
 * kernel boots on. Refused rather than guessed: a core of which one thread is isolated and the other is not (they share
 * its caches and its execution units, so the isolated one is not), a boot CPU that is not reserved (it keeps the time), and
 * a profile that leaves nothing to isolate.
 *
 * @example 8 cores with 2 threads (n and n+8), reserved "0,8": isolated "1-7,9-15"
 */
export function isolateAtBoot(facts: HostFacts, profile: HostProfile): BootIsolation {
  const { isolation } = profile.cpu;
  if (isolation !== "boot")
    return refused(`the profile isolates no CPUs at boot (cpu.isolation is "${isolation}")`);
  const online = parseKernelList(facts.cpu.onlineCpus) ?? [];
  const bootCpu = online[0] ?? 0;
  const siblingsOf = new Map(
    facts.cpu.cpus.map(({ id, siblings }) => [id, parseKernelList(siblings) ?? [id]]),
  );
  const named = parseKernelList(profile.cpu.reserved ?? "") ?? [];
  const reserved = new Set(named.length > 0 ? named : (siblingsOf.get(bootCpu) ?? [bootCpu]));
  const unknown = [...reserved].filter((cpu) => !online.includes(cpu));
  if (unknown.length > 0)
    return refused(`refused: CPUs ${formatKernelList(unknown)} of cpu.reserved are not online`);
  if (!reserved.has(bootCpu))
    return refused(`refused: CPU ${bootCpu} boots the kernel and keeps the time, and cpu.reserved lacks it`);
  for (const cpu of online) {
    const split = siblingsOf.get(cpu)?.find((sibling) => reserved.has(sibling) !== reserved.has(cpu));
    if (split !== undefined)
      return refused(
        `refused: CPUs ${cpu} and ${split} are threads of one core, and cpu.reserved (${formatKernelList(reserved)}) has one of them`,
      );
  }
  const isolated = online.filter((cpu) => !reserved.has(cpu));
  if (isolated.length === 0) return refused("refused: cpu.reserved leaves no CPU to isolate");
  const housekeeping = formatKernelList(reserved);
  const origin =
    named.length > 0 ? "cpu.reserved" : "the core that boots the kernel, as cpu.reserved names none";
  return {
    kind: "isolate",
    isolated: formatKernelList(isolated),
    housekeeping,
    because: `all CPUs but ${housekeeping} (${origin})`,
  };
}

function refused(because: string): BootIsolation {
  return { kind: "leave", because };
}

/**
 * What the kernel's own file says where it lacks a CPU of `value` that exists: the kernel drops a list that it cannot read
 * as a whole, with no more than a line in its log. `undefined` when it has them all, or has no such file.
 */
export async function whyNotTaken(host: Host, path: string, value: string): Promise<string | undefined> {
  const text = await host.readText(path);
  if (text === undefined) return undefined;
  const numbers = value.split(",").filter((part) => /^\d/.test(part));
  const taken = new Set(parseKernelList(text));
  const possible = new Set(
    parseKernelList((await host.readText("/sys/devices/system/cpu/possible")) ?? "") ?? [],
  );
  const missing = (parseKernelList(numbers.join(",")) ?? []).some(
    (cpu) => possible.has(cpu) && !taken.has(cpu),
  );
  return missing ? `${path} has "${text.trim()}"` : undefined;
}
