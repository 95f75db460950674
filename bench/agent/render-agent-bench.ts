import type { AgentBench, ContenderResult, Sample } from "./agent-bench.ts";
import { AIM_RATIO, COMPARISONS, ratiosOf, totalsOf } from "./comparisons.ts";
import { bullet, numberText, paragraph, spreadText, table } from "../markdown.ts";
import { spreadOf } from "../spread.ts";

/** The result as Markdown that reads as plain text too: the page in docs/ and what the terminal shows. */
export function renderAgentBench(bench: AgentBench): string {
  return [
    "# Bench: what the agent takes, beside TuneD",
    "",
    ...paragraph(setting(bench)),
    "",
    ...paragraph(verdict(bench)),
    "",
    "## Ratios",
    "",
    ...paragraph(
      "The first divided by the second within each round: median (least-greatest). Below 1 Bedplate needs less. RSS: median of the largest process.",
    ),
    "",
    ...table(["compared", "wall", "CPU", "RSS"], ratioRows(bench)),
    "",
    "## Times and memory",
    "",
    ...paragraph(`Median (least-greatest) of ${bench.rounds} ${bench.rounds === 1 ? "round" : "rounds"}.`),
    "",
    ...bench.contenders.flatMap((contender) => [...contenderSection(contender, bench), ""]),
    "## What was done, and what stays",
    "",
    ...table(["", "changed", "verified", "not put back", "resident afterwards"], stayRows(bench)),
    "",
    ...STAY_NOTES.flatMap((note) => [...paragraph(note), ""]),
    ...bench.notMeasured.flatMap(({ name, because }) => [
      ...paragraph(`Not measured: ${name}: ${because}.`),
      "",
    ]),
    "## How",
    "",
    ...HOW_NOTES.flatMap((note) => [...bullet(note)]),
    "",
  ].join("\n");
}

const STAY_NOTES = [
  "Changed: writable files of /proc/sys, /proc/irq, block queues, NIC queues, cpufreq and mm with another text afterwards. Verified: settings that its own verify said it had checked; TuneD's one-shot mode cannot verify. Not put back: changed files that were not as before after `bedplate rollback` or `tuned-adm off`; TuneD's one-shot mode keeps no originals.",
];

const HOW_NOTES = [
  "Every command runs as a oneshot unit in a slice of its own. Wall: between systemd's time stamps of its process. CPU: user and system time of the control group, with every child.",
  "Largest RSS: GNU time's, of the largest process of the tree. Cgroup peak: memory.peak of the slice, which has every process's own memory and only those file pages that nobody had read before, so it is greater after a boot.",
  "Where a daemon does the work (tuned.service), its CPU time meanwhile and its own peaks since its start are added. Work of PID 1, dbus-daemon and polkitd is in neither side's numbers.",
  "After a boot: page cache dropped before the first step. First run on a host: the agent's compile cache is empty too. Warm: right after such a run. One round before the first is not counted.",
  "Before each round every value is put back: `bedplate rollback`, `tuned-adm off`, and by the bench itself after TuneD's one-shot mode. The families of contenders change places from round to round.",
  "TuneD's start is of a daemon without a profile, which `tuned-adm profile` then gives it.",
  "Emulated CPUs are slow and uneven, so seconds here are no host's seconds: the ratios are what counts.",
];

function setting({ measuredAt, machine, guest, agent, rounds, durationSeconds }: AgentBench): string {
  const how = machine.accelerator === "kvm" ? "KVM" : "software emulation";
  const loads = machine.loadByRound.map((load) => load.toFixed(1));
  return `Taken on ${measuredAt.slice(0, 10)} in one run of ${Math.round(durationSeconds / 60)} minutes, ${rounds} ${rounds === 1 ? "round" : "rounds"}, in one VM: Debian ${guest.debianRelease}, Linux ${guest.kernelRelease}, ${guest.cpuCount} CPUs, ${guest.memoryMiB} MiB, ${how} on ${machine.cpuCount} CPUs (${machine.cpuModel}). Load of that machine: ${machine.loadBefore.toFixed(1)} before, ${loads.join(", ")} at the rounds' starts, the VM's own part of it. Bedplate ${agent.version} (archive ${agent.archiveSha256.slice(0, 12)}, Node ${guest.nodeVersion}); TuneD ${guest.tunedVersion} (Python ${guest.pythonVersion}), profile throughput-performance; systemd ${guest.systemdVersion}.`;
}

/** The aim, and how far the result is from it. */
function verdict(bench: AgentBench): string {
  const [aimed] = COMPARISONS;
  const { wall } = ratiosOf(bench, aimed);
  const is = wall.median <= AIM_RATIO ? "reached" : "not reached";
  return `The aim is at most ${AIM_RATIO} of the wall time that TuneD takes to a verified profile (${aimed.title}). It is ${is}: ${wall.median.toFixed(2)}. ${residentSentence(bench)}`;
}

function residentSentence({ contenders }: AgentBench): string {
  const staying = contenders.filter(({ id, residents }) => id.startsWith("bedplate") && residents.length > 0);
  if (staying.length === 0) return "Bedplate leaves nothing resident.";
  const names = staying.flatMap(({ residents }) => residents.map(({ name }) => name));
  return `Bedplate leaves resident: ${[...new Set(names)].join(", ")}.`;
}

function ratioRows(bench: AgentBench): string[][] {
  return COMPARISONS.map((comparison) => {
    const { title, wall, cpu, maxRss } = ratiosOf(bench, comparison);
    return [title, spreadText(wall), spreadText(cpu), numberText(maxRss.median)];
  });
}

function contenderSection(contender: ContenderResult, bench: AgentBench): string[] {
  const row = (name: string, samples: readonly Sample[]): string[] => [
    name,
    spreadText(spreadOf(samples.map((sample) => sample.wallMillis / 1e3))),
    spreadText(spreadOf(samples.map((sample) => sample.cpuMillis / 1e3))),
    spreadOf(samples.map((sample) => sample.maxRssKiB / 1024)).median.toFixed(0),
    spreadOf(samples.map((sample) => sample.peakCgroupKiB / 1024)).median.toFixed(0),
  ];
  const rows = contender.steps.map(({ name, samples }) => row(name, samples));
  // What a host waits for: the repeated apply is no part of it.
  const counted = contender.steps.map(({ name }) => name).filter((name) => name !== "apply again");
  const total = totalsOf(bench, { contender: contender.id, steps: counted });
  const totalName = counted.length === rows.length ? "all of these" : counted.join(" + ");
  return [
    `### ${contender.title}`,
    "",
    ...table(
      ["step", "wall s", "CPU s", "largest RSS MiB", "cgroup peak MiB"],
      counted.length > 1 ? [...rows, row(totalName, total)] : rows,
    ),
  ];
}

function stayRows({ contenders }: AgentBench): string[][] {
  return contenders
    .filter(({ id }) => !/^(node|python)/.test(id))
    .map(({ title, changedFiles, checkedSettings, leftBehind, residents }) => [
      title,
      String(changedFiles),
      checkedSettings === null ? "-" : String(checkedSettings),
      String(leftBehind.length),
      residents.length === 0
        ? "nothing"
        : residents.map(({ name, rssKiB }) => `${name} ${(rssKiB / 1024).toFixed(0)} MiB`).join(", "),
    ]);
}
