/** Where the agent lives on a host. The installer, the units and the renderers agree on these. */
export const HOST_PATHS = {
  /** One folder per archive, named by its sha256; `current` is a link to the one in force. */
  agentFolder: "/opt/bedplate",
  agentCurrent: "/opt/bedplate/current",
  node: "/opt/bedplate/current/bin/node",
  agentMain: "/opt/bedplate/current/main.cjs",
  agentUnits: "/opt/bedplate/current/units",
  serviceFolder: "/opt/mcp-service",
  serviceMain: "/opt/mcp-service/current/main.cjs",
  configFolder: "/etc/bedplate",
  profile: "/etc/bedplate/profile.yaml",
  /** One line per archive: name, sha256, address. */
  artifacts: "/etc/bedplate/artifacts",
  installer: "/usr/local/sbin/bedplate-install",
  /** The agent by name, for people. */
  command: "/usr/local/sbin/bedplate",
  stateFolder: "/var/lib/bedplate",
  report: "/var/lib/bedplate/report.json",
  unitFolder: "/etc/systemd/system",
  udevRules: "/etc/udev/rules.d/90-bedplate.rules",
} as const;

/**
 * How Node runs the agent. It reads, decides, writes and ends within seconds: no code of it becomes hot enough to be worth
 * compiling, nor garbage enough to be worth threads. A plan takes 0.4 of the CPU time so in an emulated guest (2.7 s
 * against 6.3 s), 0.9 on a real machine; and nothing is both writable and executable.
 */
export const NODE_FLAGS = ["--jitless", "--single-threaded"] as const;

/** The agent's units, in the order in which they start. */
export const EARLY_UNIT = "bedplate-early.service";
export const LATE_UNIT = "bedplate.service";
/** Looks for drift, and the timer that starts it. */
export const DRIFT_UNIT = "bedplate-drift.service";
export const DRIFT_TIMER = "bedplate-drift.timer";
/** Tunes one device that was added after boot; the instance is the device's name. */
export const DEVICE_UNIT = "bedplate-device@.service";
/** The unit that the host is tuned for, unless the profile names another. */
export const SERVICE_UNIT = "mcp-service.service";
