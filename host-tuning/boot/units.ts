import { DRIFT_UNIT, EARLY_UNIT, HOST_PATHS, LATE_UNIT, NODE_FLAGS, SERVICE_UNIT } from "./paths.ts";

/** One line of a unit file: a directive, or a comment that says why the next one is there. */
type UnitLine = readonly [directive: string, value: string] | { readonly why: string };

export interface UnitSection {
  readonly name: "Unit" | "Service" | "Timer" | "Install";
  readonly lines: readonly UnitLine[];
}

/** Unit file text; long comments stay on one line, as systemd has no other form for them. */
export function renderUnit(sections: readonly UnitSection[]): string {
  return `${sections
    .map(({ name, lines }) =>
      [`[${name}]`, ...lines.map((line) => ("why" in line ? `# ${line.why}` : `${line[0]}=${line[1]}`))].join(
        "\n",
      ),
    )
    .join("\n\n")}\n`;
}

/**
 * What the units may do. The job is to write /proc/sys, /sys and unit drop-ins as root, so those stay open and the
 * rest is closed. Left out on purpose: ProtectControlGroups (a cpuset partition is a file below /sys/fs/cgroup),
 * PrivateTmp (it orders a unit after local-fs.target, see below), ProtectClock and PrivateDevices (they close /dev/nvme*
 * and /dev/nvidia*), ProtectKernelTunables (tunables are the job), MemoryDenyWriteExecute (V8 compiles at run time),
 * IPAddressDeny (a probe of the gateway confirms a change).
 */
const HARDENING: readonly UnitLine[] = [
  ["NoNewPrivileges", "yes"],
  ["ProtectHome", "yes"],
  ["ProtectHostname", "yes"],
  ["ProtectKernelLogs", "yes"],
  {
    why: "strict leaves /proc, /sys and /dev writable; the other folders are those that knobs write files into",
  },
  ["ProtectSystem", "strict"],
  [
    "ReadWritePaths",
    "/etc/systemd/system -/etc/sysctl.d -/etc/modprobe.d -/etc/modules-load.d -/etc/udev/rules.d -/etc/tmpfiles.d -/etc/default -/etc/kernel -/boot -/efi -/etc/eks -/etc/kubernetes",
  ],
  ["TemporaryFileSystem", "/tmp /var/tmp"],
  ["LockPersonality", "yes"],
  ["RestrictRealtime", "yes"],
  ["RestrictSUIDSGID", "yes"],
  { why: "A service's own network namespace is entered to read the values that are in force there" },
  ["RestrictNamespaces", "net"],
  { why: "ethtool asks through AF_INET and netlink, systemctl through AF_UNIX" },
  ["RestrictAddressFamilies", "AF_UNIX AF_NETLINK AF_INET AF_INET6"],
  ["SystemCallArchitectures", "native"],
  [
    "CapabilityBoundingSet",
    "~CAP_SYS_BOOT CAP_SYS_TIME CAP_SYSLOG CAP_MAC_ADMIN CAP_MAC_OVERRIDE CAP_AUDIT_CONTROL CAP_WAKE_ALARM CAP_LINUX_IMMUTABLE",
  ],
];

/** What all units of the agent have in common: where it writes, what it may do, where it says so. */
const SURROUNDINGS: readonly UnitLine[] = [
  ["StandardOutput", "journal"],
  ["StandardError", "journal"],
  ["SyslogIdentifier", "bedplate"],
  ["Environment", "NODE_COMPILE_CACHE=/var/cache/bedplate"],
  { why: "The report is for every reader on the host, the service among them" },
  ["UMask", "0022"],
  ["StateDirectory", "bedplate"],
  ["CacheDirectory", "bedplate"],
  ["RuntimeDirectory", "bedplate"],
  ["RuntimeDirectoryPreserve", "yes"],
  ...HARDENING,
];

const SETTLE: readonly UnitLine[] = [
  {
    why: "Drivers and queues that are still being made; a slow one is no reason to leave the rest untuned",
  },
  ["ExecStartPre", "-udevadm settle --timeout=30"],
];

const AGENT = [HOST_PATHS.node, ...NODE_FLAGS, HOST_PATHS.agentMain].join(" ");

/** Runs that the timer and added devices start wait for each other: the agent refuses to run twice at a time. */
const IN_TURN = "flock --timeout 300 /run/bedplate/turn.lock";

function oneshot(phase: "early" | "late", timeoutSeconds: number): UnitSection {
  return {
    name: "Service",
    lines: [
      ["Type", "oneshot"],
      ["RemainAfterExit", "yes"],
      ...SETTLE,
      ["ExecStart", `${AGENT} apply --log-json --phase ${phase} --profile ${HOST_PATHS.profile}`],
      { why: "4: applied, and a part of it needs a reboot to take effect" },
      ["SuccessExitStatus", "4"],
      {
        why: "For a starved machine under software emulation; on hardware it takes under a second after the devices",
      },
      ["TimeoutStartSec", String(timeoutSeconds)],
      ...SURROUNDINGS,
    ],
  };
}

/**
 * Before the network: virtual functions, hugepages, sysctls.
 *
 * No default dependencies, and nothing that comes after local-fs.target: cloud-init-local and cloud-init sit between
 * network-pre.target and sysinit.target, and a mount that waits for cloud-init sits before local-fs.target. Ordered
 * after either target, a unit that comes before network-pre.target closes a cycle, and systemd breaks a cycle by
 * dropping a unit of its choice. So it names the mounts that it needs.
 */
export function renderEarlyUnit(): string {
  return renderUnit([
    {
      name: "Unit",
      lines: [
        ["Description", "Bedplate host tuning, before the network"],
        ["DefaultDependencies", "no"],
        [
          "RequiresMountsFor",
          `${HOST_PATHS.agentFolder} ${HOST_PATHS.configFolder} ${HOST_PATHS.stateFolder} /var/cache/bedplate`,
        ],
        [
          "After",
          "systemd-remount-fs.service systemd-modules-load.service systemd-sysctl.service systemd-udev-trigger.service",
        ],
        ["Before", `network-pre.target ${LATE_UNIT} shutdown.target`],
        ["Wants", "network-pre.target"],
        ["Conflicts", "shutdown.target"],
      ],
    },
    oneshot("early", 300),
    { name: "Install", lines: [["WantedBy", "sysinit.target"]] },
  ]);
}

/**
 * After the network and the devices: queues, interrupts, block devices, unit limits. Before everything that the host
 * is tuned for: the service, and the kubelet (by itself or through nodeadm on EKS). Never after a cloud-init unit: on
 * the first boot cloud-init's last step starts it and waits for it.
 */
export function renderLateUnit(): string {
  return renderUnit([
    {
      name: "Unit",
      lines: [
        ["Description", "Bedplate host tuning, devices and service limits"],
        ["After", `network-online.target systemd-sysctl.service ${EARLY_UNIT}`],
        ["Wants", `network-online.target ${EARLY_UNIT}`],
        ["Before", `kubelet.service nodeadm-run.service ${SERVICE_UNIT}`],
      ],
    },
    oneshot("late", 600),
    { name: "Install", lines: [["WantedBy", "multi-user.target"]] },
  ]);
}

/**
 * Looks for what somebody changed after us, and refreshes the metrics. Drift is no failure of this unit: it is in the
 * journal, in the metrics and in `bedplate drift`.
 */
export function renderDriftUnit(): string {
  return renderUnit([
    {
      name: "Unit",
      lines: [
        ["Description", "Bedplate look for drift"],
        ["After", LATE_UNIT],
      ],
    },
    {
      name: "Service",
      lines: [
        ["Type", "oneshot"],
        ["ExecStart", `${IN_TURN} ${AGENT} drift --textfile --log-json --profile ${HOST_PATHS.profile}`],
        { why: "3: something has drifted; 4: something waits for a reboot" },
        ["SuccessExitStatus", "3 4"],
        ["TimeoutStartSec", "600"],
        { why: "The service's work comes first" },
        ["Nice", "10"],
        ...SURROUNDINGS,
        { why: "node_exporter's textfile collector, where there is one" },
        ["ReadWritePaths", "-/var/lib/prometheus/node-exporter -/var/lib/node_exporter/textfile_collector"],
      ],
    },
  ]);
}

/** How often the drift unit runs, unless the profile says otherwise (user data then adds a drop-in). */
export const DEFAULT_DRIFT_MINUTES = 15;

/** Both lines stand together: an empty one of either kind would clear both. */
function timerLines(intervalMinutes: number): UnitLine[] {
  return [
    ["OnBootSec", "5min"],
    ["OnUnitActiveSec", `${intervalMinutes}min`],
  ];
}

export function renderDriftTimer(): string {
  return renderUnit([
    { name: "Unit", lines: [["Description", "Bedplate look for drift, every so often"]] },
    {
      name: "Timer",
      lines: [
        ...timerLines(DEFAULT_DRIFT_MINUTES),
        { why: "Hosts that booted together need not look together" },
        ["RandomizedDelaySec", "30"],
        ["AccuracySec", "30"],
        ["Unit", DRIFT_UNIT],
      ],
    },
    { name: "Install", lines: [["WantedBy", "timers.target"]] },
  ]);
}

/** Drop-in of the timer for another interval. */
export function renderDriftInterval(intervalMinutes: number): string {
  return renderUnit([{ name: "Timer", lines: [["OnBootSec", ""], ...timerLines(intervalMinutes)] }]);
}

/** One device that was added after boot. `%i`: the name is made of characters that a unit's name may have. */
export function renderDeviceUnit(): string {
  return renderUnit([
    {
      name: "Unit",
      lines: [
        ["Description", "Bedplate host tuning of %i"],
        ["After", LATE_UNIT],
        { why: "A device that comes and goes: some tries a minute, and no more" },
        ["StartLimitIntervalSec", "60"],
        ["StartLimitBurst", "5"],
      ],
    },
    {
      name: "Service",
      lines: [
        ["Type", "oneshot"],
        ...SETTLE,
        [
          "ExecStart",
          `${IN_TURN} ${AGENT} apply --log-json --phase late --device %i --profile ${HOST_PATHS.profile}`,
        ],
        { why: "4: applied, and a part of it needs a reboot to take effect" },
        ["SuccessExitStatus", "4"],
        ["TimeoutStartSec", "600"],
        ...SURROUNDINGS,
      ],
    },
  ]);
}
