import { type FactReader, parseInteger } from "./fact-reader.ts";
import type { HostFacts } from "./host-facts.ts";

const CPU_DIRECTORY = "/sys/devices/system/cpu";

/** More idle states than any driver has (the kernel's CPUIDLE_STATE_MAX is 10). */
const MAX_STATES = 32;

/**
 * Reads the idle states (C-states) of the first CPU that has any, with the time that each takes to wake up. Empty where
 * the hypervisor keeps idle states to itself, as most do.
 *
 * @see https://docs.kernel.org/admin-guide/pm/cpuidle.html
 */
export async function readCpuIdle(
  reader: FactReader,
  online: readonly number[],
): Promise<HostFacts["cpu"]["idle"]> {
  const driver = await reader.label(`${CPU_DIRECTORY}/cpuidle/current_driver`);
  for (const cpu of online) {
    const directory = `${CPU_DIRECTORY}/cpu${cpu}/cpuidle`;
    const numbers = (await reader.entries(directory))
      .flatMap((name) => parseInteger(/^state(\d{1,2})$/.exec(name)?.[1] ?? "") ?? [])
      .toSorted((a, b) => a - b)
      .slice(0, MAX_STATES);
    const states = await Promise.all(numbers.map((state) => readState(reader, `${directory}/state${state}`)));
    const known = states.filter((state) => state !== undefined);
    if (known.length > 0) return { driver: nameOf(driver), states: known };
  }
  return { driver: nameOf(driver), states: [] };
}

/** The kernel writes "none" where no driver has registered. */
function nameOf(driver: string | undefined): string | null {
  return driver === undefined || driver === "none" ? null : driver;
}

async function readState(
  reader: FactReader,
  directory: string,
): Promise<{ name: string; latencyMicros: number } | undefined> {
  const [name, latencyMicros] = await Promise.all([
    reader.label(`${directory}/name`),
    reader.count(`${directory}/latency`),
  ]);
  return name === undefined || latencyMicros === undefined ? undefined : { name, latencyMicros };
}
