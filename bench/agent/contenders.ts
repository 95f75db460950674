import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";

/** One measured command. */
export interface Step {
  readonly name: string;
  /** Words without blanks: they go through a shell as they are. */
  readonly command: readonly string[];
}

/** One way to tune the guest, or the floor under it. */
export interface Contender {
  readonly id: string;
  readonly title: string;
  /** Shell lines of the guest before the first step; not measured. */
  readonly prepare?: string;
  readonly steps: readonly Step[];
  /** The service that does the commands' work; what it uses meanwhile counts. */
  readonly daemon?: string;
  /** Shell lines that take everything back by the contender's own means; not measured. */
  readonly restore?: string;
  /** Where its verify says what it checked. */
  readonly checked?: "host-report" | "tuned-log";
}

const NODE = HOST_PATHS.node;
const AGENT = HOST_PATHS.command;

/** Where the agent's command keeps its compile cache. */
const COMPILE_CACHE = "/var/cache/bedplate";

/** Profile with the settings of TuneD's throughput-performance, written by the bench. */
export const SAME_SETTINGS_PROFILE = "/run/same-settings-profile.json";

export const TUNED_UNIT = "tuned.service";
export const TUNED_LOG = "/var/log/tuned/tuned.log";
const TUNED_PROFILE = "throughput-performance";
const TUNED_CONFIG = "/etc/tuned/tuned-main.conf";

const DROP_PAGE_CACHE = "sync; echo 3 > /proc/sys/vm/drop_caches";

/** As on a host that has never been tuned: no journal, and nothing to compare with. */
export const ROLL_BACK = `${AGENT} rollback >/dev/null && rm -rf ${HOST_PATHS.stateFolder} /run/bedplate`;

const TUNED_OFF = `tuned-adm off && systemctl stop ${TUNED_UNIT} && rm -f ${TUNED_LOG}`;

/** The daemon never ran, so nothing knows the values from before: the bench writes them back itself. */
const ONE_SHOT_ON = `sed -i 's/^daemon *=.*/daemon = 0/' ${TUNED_CONFIG}`;
const ONE_SHOT_OFF = `sed -i 's/^daemon *=.*/daemon = 1/' ${TUNED_CONFIG}; : > /etc/tuned/active_profile; rm -f ${TUNED_LOG}`;

function agentSteps(...options: readonly string[]): Step[] {
  return [
    { name: "apply", command: [AGENT, "apply", "--json", ...options] },
    { name: "verify", command: [AGENT, "verify", "--json", ...options] },
    { name: "apply again", command: [AGENT, "apply", "--json", ...options] },
  ];
}

function agent(id: string, title: string, prepare?: string): Contender {
  return {
    id,
    title,
    ...(prepare === undefined ? {} : { prepare }),
    steps: agentSteps(),
    restore: ROLL_BACK,
    checked: "host-report",
  };
}

function tunedDaemon(id: string, title: string, prepare?: string): Contender {
  return {
    id,
    title,
    ...(prepare === undefined ? {} : { prepare }),
    steps: [
      { name: "daemon start", command: ["systemctl", "start", TUNED_UNIT] },
      { name: "profile", command: ["tuned-adm", "profile", TUNED_PROFILE] },
      { name: "verify", command: ["tuned-adm", "verify"] },
    ],
    daemon: TUNED_UNIT,
    restore: TUNED_OFF,
    checked: "tuned-log",
  };
}

function tunedOneShot(id: string, title: string, prepare: string): Contender {
  return {
    id,
    title,
    prepare,
    steps: [{ name: "apply", command: ["tuned", "--profile", TUNED_PROFILE] }],
    restore: ONE_SHOT_OFF,
  };
}

function floor(id: string, title: string, command: readonly string[], prepare?: string): Contender {
  return {
    id,
    title,
    ...(prepare === undefined ? {} : { prepare }),
    steps: [{ name: "start and end", command }],
  };
}

/**
 * What is measured. The members of a family run one after the other, from empty caches to full ones, so that "warm"
 * is what the run before left; the families change places from round to round.
 */
export const FAMILIES: readonly (readonly Contender[])[] = [
  [
    agent("bedplate-first", "Bedplate, first run on a host", `rm -rf ${COMPILE_CACHE}/*; ${DROP_PAGE_CACHE}`),
    agent("bedplate-cold", "Bedplate, after a boot", DROP_PAGE_CACHE),
    agent("bedplate", "Bedplate, warm"),
    {
      id: "bedplate-same",
      title: "Bedplate, TuneD's settings only, warm",
      steps: agentSteps("--profile", SAME_SETTINGS_PROFILE),
      restore: ROLL_BACK,
      checked: "host-report",
    },
  ],
  [
    tunedDaemon("tuned-cold", "TuneD with its daemon, after a boot", DROP_PAGE_CACHE),
    tunedDaemon("tuned", "TuneD with its daemon, warm"),
  ],
  [
    tunedOneShot("tuned-one-shot-cold", "TuneD one-shot, after a boot", `${ONE_SHOT_ON}; ${DROP_PAGE_CACHE}`),
    tunedOneShot("tuned-one-shot", "TuneD one-shot, warm", ONE_SHOT_ON),
  ],
  [
    floor("node-cold", "node -e 0, after a boot", [NODE, "-e", "0"], DROP_PAGE_CACHE),
    floor("node", "node -e 0, warm", [NODE, "-e", "0"]),
  ],
  [
    floor("python-cold", "python3 -c 0, after a boot", ["python3", "-c", "0"], DROP_PAGE_CACHE),
    floor("python", "python3 -c 0, warm", ["python3", "-c", "0"]),
  ],
];

/** Tuners that the bench would measure and cannot have. */
export const NOT_MEASURED = [
  {
    name: "perftune.py --dry-run",
    because:
      "neither Debian's archive nor PyPI has it: it comes with Scylla's and Redpanda's own packages, or as a file of Seastar's repository",
  },
] as const;
