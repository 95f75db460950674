import type { LiveHost } from "../sys/live-host.ts";

type Command = readonly [tool: string, ...args: string[]];

export interface TimerArgs {
  /** Tells this timer's unit from others. */
  readonly name: string;
  readonly seconds: number;
  /** What runs when nobody stops the timer. */
  readonly command: Command;
}

/** A timer that is armed, or why there is none. */
export type ArmedTimer = { readonly unit: string } | { readonly because: string };

/**
 * Properties of the service behind the timer. Tried again while another agent works on the host; no default
 * dependencies, as it is armed before sysinit.target too and would wait for itself there.
 */
const SERVICE_PROPERTIES = [
  "DefaultDependencies=no",
  "Restart=on-failure",
  "RestartSec=5s",
  "StartLimitIntervalSec=600",
  "StartLimitBurst=60",
  "SuccessExitStatus=3 4",
  "SyslogIdentifier=bedplate",
];

const TIMER_PROPERTIES = ["DefaultDependencies=no", "AccuracySec=1s"];

/**
 * Arms a transient timer of systemd. It belongs to process 1, so that neither our end nor a daemon-reload stops it; a
 * reboot does, and then the boot itself takes back what is unconfirmed.
 */
export async function armTimer(host: LiveHost, { name, seconds, command }: TimerArgs): Promise<ArmedTimer> {
  if (!(await host.exists("/run/systemd/system"))) {
    return { because: "systemd does not run here, so that no timer could take the change back" };
  }
  const unit = `bedplate-revert-${name}`;
  const result = await host.runTool("systemd-run", [
    "--quiet",
    "--collect",
    `--unit=${unit}`,
    "--description=Bedplate takes back what nobody confirmed",
    `--on-active=${seconds}s`,
    ...TIMER_PROPERTIES.map((property) => `--timer-property=${property}`),
    ...SERVICE_PROPERTIES.map((property) => `--property=${property}`),
    "--",
    ...command,
  ]);
  if (result?.exitCode === 0) return { unit: `${unit}.timer` };
  const why = result === undefined ? "systemd-run is not installed" : result.stderr.trim();
  return { because: `no timer could be armed that takes the change back (${why})` };
}

/** Stops timers that are not needed any more. One that fires all the same finds nothing to take back. */
export async function stopTimers(host: LiveHost, units: readonly string[]): Promise<void> {
  if (units.length > 0) await host.runTool("systemctl", ["stop", ...units]);
}
