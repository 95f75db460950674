import type { Sample } from "./agent-bench.ts";

/**
 * Runs `$2...` as a oneshot unit `$1` in a slice of its own and prints what systemd, the kernel and GNU time know of it
 * as `Name=value`. Wall time is between systemd's two time stamps of the process, so neither ssh nor systemd-run is in
 * it; CPU time is the control group's, so every child is; the slice outlives the unit, so its peak can still be read.
 * `$DAEMON` names a service that works for the command: what it used meanwhile is printed too.
 */
export const MEASURE_SCRIPT = `unit=$1; shift
daemon_cpu() {
  if [ -n "$DAEMON" ] && systemctl is-active --quiet "$DAEMON"; then systemctl show "$DAEMON" -p CPUUsageNSec --value; else echo 0; fi
}
systemctl start "$unit.slice"
before=$(daemon_cpu)
systemd-run --quiet --unit="$unit" --slice="$unit.slice" -p Type=oneshot -p RemainAfterExit=yes \\
  -p CPUAccounting=yes -p MemoryAccounting=yes \\
  -p StandardOutput=truncate:/run/$unit.out -p StandardError=truncate:/run/$unit.err \\
  -- /usr/bin/time --quiet -o /run/$unit.time -f %M "$@"
systemctl show "$unit" -p Result,ExecMainStatus,ExecMainStartTimestampMonotonic,ExecMainExitTimestampMonotonic,CPUUsageNSec
echo "MaxRssKiB=$(tail -1 /run/$unit.time)"
echo "MemoryPeak=$(cat /sys/fs/cgroup/$unit.slice/memory.peak)"
echo "DaemonCPUUsageBeforeNSec=$before"
echo "DaemonCPUUsageAfterNSec=$(daemon_cpu)"
if [ -n "$DAEMON" ] && systemctl is-active --quiet "$DAEMON"; then
  echo "DaemonMemoryPeak=$(cat /sys/fs/cgroup/system.slice/$DAEMON/memory.peak)"
  echo "DaemonMaxRssKiB=$(awk '/^VmHWM/ { print $2 }' /proc/$(systemctl show "$DAEMON" -p MainPID --value)/status)"
fi
systemctl stop "$unit.service" "$unit.slice"
systemctl reset-failed "$unit.service" 2>/dev/null || true
`;

/** `Name=value` lines, as `systemctl show` prints them, by name. */
export function parseProperties(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return new Map(
    lines.map((line): [string, string] => [
      line.slice(0, line.indexOf("=")),
      line.slice(line.indexOf("=") + 1),
    ]),
  );
}

/** A run of which no number can be given. */
export class MeasurementError extends Error {
  override readonly name = "MeasurementError";
}

/**
 * What a run took, from what MEASURE_SCRIPT printed.
 *
 * @throws {MeasurementError} when the command failed or a number is missing ("[not set]"): a run that failed early
 * would look fast
 */
export function sampleOf(properties: ReadonlyMap<string, string>): Sample {
  const result = properties.get("Result");
  const status = properties.get("ExecMainStatus");
  if (result !== "success" || status !== "0") {
    throw new MeasurementError(`it ended with Result=${result}, exit code ${status}`);
  }
  const number = (name: string, absent?: number): number => {
    const text = properties.get(name);
    if (text === undefined && absent !== undefined) return absent;
    if (text === undefined || !/^\d+$/.test(text)) {
      throw new MeasurementError(`no number in ${name}=${text ?? "(missing)"}`);
    }
    return Number(text);
  };
  const wallMicros = number("ExecMainExitTimestampMonotonic") - number("ExecMainStartTimestampMonotonic");
  const daemonNanos = number("DaemonCPUUsageAfterNSec", 0) - number("DaemonCPUUsageBeforeNSec", 0);
  return {
    wallMillis: roundTo1(wallMicros / 1e3),
    cpuMillis: roundTo1((number("CPUUsageNSec") + daemonNanos) / 1e6),
    maxRssKiB: number("MaxRssKiB") + number("DaemonMaxRssKiB", 0),
    peakCgroupKiB: Math.round((number("MemoryPeak") + number("DaemonMemoryPeak", 0)) / 1024),
  };
}

function roundTo1(value: number): number {
  return Math.round(value * 10) / 10;
}
