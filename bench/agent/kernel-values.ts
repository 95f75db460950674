/**
 * Every writable file where the kernel keeps settings of sysctl, disks, NIC queues, CPU frequency, memory and
 * interrupts, as `path:line`. Read-only files are what the kernel counts, not what a tuner sets.
 */
export const READ_KERNEL_VALUES = `find /proc/sys /proc/irq /sys/block/*/queue/ /sys/class/net/*/queues/ \\
  /sys/devices/system/cpu/cpufreq /sys/kernel/mm -type f -perm -u=w -print0 2>/dev/null | xargs -0 grep -sH '' || true`;

/** Writes `path<tab>value` lines from its input. */
export const WRITE_KERNEL_VALUES = `while IFS='\t' read -r path value; do printf '%s\\n' "$value" > "$path"; done`;

/** Text by path. */
export type KernelValues = ReadonlyMap<string, string>;

export function parseKernelValues(text: string): KernelValues {
  const values = new Map<string, string>();
  for (const line of text.split("\n")) {
    const end = line.indexOf(":");
    if (!line.startsWith("/") || end < 0) continue;
    const path = line.slice(0, end);
    const value = line.slice(end + 1);
    const earlier = values.get(path);
    values.set(path, earlier === undefined ? value : `${earlier}\n${value}`);
  }
  return values;
}

/** What has one text in both: the rest changes by itself (last process id, random numbers). */
export function steadyValues(once: KernelValues, again: KernelValues): KernelValues {
  return new Map([...once].filter(([path, value]) => again.get(path) === value));
}

/** Files of `before` with another text in `after`, and the text that they had. */
export function changedValues(before: KernelValues, after: KernelValues): KernelValues {
  return new Map([...before].filter(([path, value]) => after.has(path) && after.get(path) !== value));
}

/**
 * Lines for WRITE_KERNEL_VALUES. A file that lists its choices (`[always] madvise never`) takes the one in brackets.
 */
export function renderWrites(values: KernelValues): string {
  return [...values]
    .map(([path, value]) => `${path}\t${/\[([^\]]+)\]/.exec(value)?.[1] ?? value}\n`)
    .join("");
}
