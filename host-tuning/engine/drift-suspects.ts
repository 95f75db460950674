import type { HostFacts, OwnershipFacts } from "../facts/host-facts.ts";
import { canonicalSysctlKey } from "../facts/sysctl-d.ts";
import type { AnyKnob } from "../knobs/knob.ts";
import type { Suspect } from "../report/drift-report.ts";
import type { LiveHost } from "../sys/live-host.ts";
import {
  type Span,
  isWithin,
  modifiedMillis,
  readAuditTraces,
  readPackageChanges,
  readSudoCommands,
  readUdevRules,
  readUnitStarts,
} from "./drift-evidence.ts";
import { claimsOn } from "./ownership.ts";

/** Units by which an owner writes what it claims. */
const UNITS: Readonly<Partial<Record<OwnershipFacts["owner"], readonly string[]>>> = {
  "sysctl.d": ["systemd-sysctl.service", "procps.service"],
  tuned: ["tuned.service"],
  irqbalance: ["irqbalance.service"],
  kubelet: ["kubelet.service"],
  "cloud-init": ["cloud-init.service", "cloud-final.service"],
  saptune: ["saptune.service"],
  bpftune: ["bpftune.service"],
  "redpanda-tuner": ["redpanda-tuner.service"],
};

/** What was changed, where it stands, and when. */
export interface DriftCase {
  readonly knob: AnyKnob;
  /** Kernel files that the setting stands in; none for what a tool sets. */
  readonly paths: readonly string[];
  readonly found: string | null;
  readonly span: Span;
}

/** What the host says about who changed settings, read once for all of them. */
export interface Scene {
  readonly host: LiveHost;
  readonly facts: HostFacts;
  readonly unitStarts: ReadonlyMap<string, number>;
}

export async function readScene(host: LiveHost, facts: HostFacts): Promise<Scene> {
  const owners = new Set(facts.ownership.map((claim) => claim.owner));
  const units = [...owners].flatMap((owner) => UNITS[owner] ?? []);
  // systemd-sysctl also reads files of whose keys the facts know nothing: globs, and what is there since.
  const unitStarts = await readUnitStarts(host, [...new Set([...units, "systemd-sysctl.service"])]);
  return { host, facts, unitStarts };
}

const ORDER = ["certain", "likely", "possible"] as const;

/** Who may have changed a setting, the best founded first. An empty list is an honest answer. */
export async function readSuspects(scene: Scene, drift: DriftCase): Promise<Suspect[]> {
  const { host, facts } = scene;
  const { knob, paths, span } = drift;
  const words = [...paths, ...paths.flatMap((path) => sysctlOf(path))];
  const [traces, sudo, packages, rules] = await Promise.all([
    readAuditTraces(host, words, span),
    readSudoCommands(host, words, span),
    readPackageChanges(host, span),
    Promise.all(paths.flatMap((path) => attributeOf(path)).map((name) => readUdevRules(host, name))),
  ]);
  const suspects: Suspect[] = [
    ...traces.map(({ atMillis, text }): Suspect => ({
      who: text,
      confidence: "certain",
      evidence: `audit log, ${isoOf(atMillis)}`,
    })),
    ...sudo.map((text): Suspect => ({ who: text, confidence: "likely", evidence: "journal of sudo" })),
    ...ownersOf(knob, paths, facts).flatMap((claim) => suspectOf(claim, drift, scene)),
    ...[...new Set(rules.flat())].map((path): Suspect => ({
      who: `udev rule ${path}`,
      confidence: "possible",
      evidence: "it sets this attribute when the device is added or changes",
    })),
    ...(packages === undefined
      ? []
      : [
          {
            who: `package change: ${packages}`,
            confidence: "possible" as const,
            evidence: "installed or upgraded in that time",
          },
        ]),
  ];
  return suspects.toSorted((a, b) => ORDER.indexOf(a.confidence) - ORDER.indexOf(b.confidence));
}

function ownersOf(knob: AnyKnob, paths: readonly string[], facts: HostFacts): OwnershipFacts[] {
  const writes = paths.map((path) => ({ kind: "kernel-file", path, text: "" }) as const);
  const balancers =
    knob.family === "irq" ? facts.ownership.filter((claim) => claim.key === "irq.affinity") : [];
  return [...claimsOn(knob, writes, facts), ...balancers].filter((claim) => claim.hold !== "containers");
}

/** An owner as a suspect: does it set what was found, and did it run in that time. */
function suspectOf(claim: OwnershipFacts, { found, span }: DriftCase, scene: Scene): Suspect[] {
  const { owner, source, value, hold } = claim;
  const [path = source] = source.split(" ");
  const isItsValue = value !== null && found !== null && words(value) === words(found);
  const started = (UNITS[owner] ?? []).find((unit) => isWithin(span, scene.unitStarts.get(unit)));
  const modified = isWithin(span, modifiedMillis(scene.host, path));
  // Somebody who sets another value has not set this one.
  if (value !== null && !isItsValue && found !== null && !/^[<>]/.test(value)) return [];
  const evidence = [
    isItsValue ? `it sets the value found, "${value}"` : "",
    started === undefined ? "" : `${started} started at ${isoOf(scene.unitStarts.get(started) ?? 0)}`,
    modified ? `the file was changed at ${isoOf(modifiedMillis(scene.host, path) ?? 0)}` : "",
    hold === "always" ? "it sets this again and again" : "",
  ].filter((text) => text !== "");
  const isLikely =
    (isItsValue && (started !== undefined || modified)) || (hold === "always" && value === null);
  return [
    {
      who: `${owner} (${source})`,
      confidence: isLikely ? "likely" : "possible",
      evidence: evidence.length === 0 ? "it sets this when it starts" : evidence.join("; "),
    },
  ];
}

function sysctlOf(path: string): string[] {
  const prefix = "/proc/sys/";
  if (!path.startsWith(prefix)) return [];
  const name = path.slice(prefix.length);
  return [canonicalSysctlKey(name), name];
}

/** The attribute of a device as a udev rule names it: queue/scheduler of /sys/block/sda/queue/scheduler. */
function attributeOf(path: string): string[] {
  const attribute = /^\/sys\/(?:block|class\/\w+)\/[^/]+\/(.+)$/.exec(path)?.[1];
  return attribute === undefined ? [] : [attribute];
}

function words(text: string): string {
  return text.trim().split(/\s+/).join(" ");
}

function isoOf(millis: number): string {
  return new Date(millis).toISOString().replace(/\.\d+Z$/, "Z");
}
