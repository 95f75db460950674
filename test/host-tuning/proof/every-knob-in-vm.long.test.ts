import { afterAll, beforeAll, expect, it } from "vitest";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { type HostPlan, hostPlanSchema } from "../../../host-tuning/engine/host-plan.ts";
import { parseRecord } from "../../../host-tuning/engine/journal-records.ts";
import { type OutstandingOriginal, foldJournal } from "../../../host-tuning/engine/journal-state.ts";
import { JOURNAL_PATH } from "../../../host-tuning/engine/journal.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { TAKE_BASELINE, unlikeBaseline } from "../../helpers/guest-baseline.ts";
import { agentArtifact, failuresOf, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { LAB_PARTS, LAB_TIMEOUT_MILLIS, type Lab, endLab, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/**
 * Every setting that can be written in the lab's VM: applied, verified, put back by hand behind the agent's back, found,
 * healed, rolled back. What the profile would leave alone is written too, through an override with a value next to the
 * one in force. Settings of virtual functions and disks have tests of their own.
 */
const PROFILE: Omit<HostProfileInput, "apiVersion" | "kind"> = {
  preset: "latency",
  cpu: { reserved: "0-1" },
  hugepages: { perNode: 8 },
  workload: { connections: 100_000, connectionsPerSecond: 5000, usesMemoryMaps: true },
  service: { memoryBytes: 256 * 1024 ** 2, listenPorts: [8080] },
  allowLowering: true,
  // The lab's network has no gateway, so nothing there could confirm a change that might cut the host off.
  confirm: { gateway: false },
};

/** Written by a test of its own, or harmful to the test itself. */
const NOT_HERE: ReadonlyMap<string, string> = new Map([
  ["sriov_numvfs", "nic-in-vm.long: makes and removes the NICs that other settings are about"],
  ["vm.min_free_kbytes", "the kernel moves it by itself in so small a guest"],
  ["kernel.nmi_watchdog", "the guest has no performance counters"],
  ["queue/io_poll", "no queue for polling is made in this guest, and the kernel refuses it without"],
  ["vm.overcommit_memory", "2 would keep the agent itself from starting in so small a guest"],
]);

/** Where the kernel takes steps and not every number. */
const ANOTHER: ReadonlyMap<string, number> = new Map([
  ["queue/io_timeout", 60_000],
  ["queue/max_sectors_kb", 256],
  ["queue/read_ahead_kb", 256],
  ["queue/nr_requests", 64],
]);

const BASELINE = "/var/lib/baseline.json";

/** Puts each thing back as it was before the agent, as somebody would who does not know of it. Prints what failed. */
const BY_HAND = `
import base64, json, os, subprocess, sys
for change in json.load(sys.stdin):
    try:
        if change["kind"] == "write":
            with open(change["path"], "wb", buffering=0) as f: f.write(base64.b64decode(change["base64"]))
        elif change["kind"] == "remove": os.remove(change["path"])
        else: subprocess.run(change["command"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as error: print(json.dumps([change["key"], str(error)]))
subprocess.run(["systemctl", "daemon-reload"], check=True)
`;

type Overrides = NonNullable<HostProfileInput["overrides"]>;

/** For each step that would write nothing: a value beside the one in force that its knob takes. */
function overridesFor(plan: HostPlan): Overrides {
  const overrides: Overrides = {};
  for (const { key, knob: id, action, before } of plan.steps) {
    const knob = KNOBS.find((candidate) => candidate.id === id);
    const because = NOT_HERE.get(id);
    if (because !== undefined) overrides[key] = { leave: true, because };
    if (knob === undefined || because !== undefined) continue;
    if (action !== "left" && action !== "already-right") continue;
    const another = ANOTHER.get(id);
    const candidates = another === undefined ? candidatesBeside(before) : [another];
    const beside = candidates.find((value) => knob.value.safeParse(value).success);
    if (beside !== undefined) overrides[key] = { value: beside, because: "every setting is written once" };
  }
  return overrides;
}

function candidatesBeside(value: unknown): (number | boolean)[] {
  if (typeof value === "boolean") return [!value];
  return typeof value === "number" ? [value + 1, value - 1] : [];
}

function changesByHand({ key, original }: OutstandingOriginal): object[] {
  if (original.kind === "tool") return [{ key, kind: "run", command: original.undo }];
  if (original.kind === "boot-entries") throw new Error(`${key}: no boot loader is in this guest`);
  const { path, before } = original.kind === "kernel-file" ? (original.counterpart ?? original) : original;
  if (before === null) return [{ key, kind: "remove", path }];
  if ("base64" in before) return [{ key, kind: "write", path, base64: before.base64 }];
  // A file of choices shows them all and takes one.
  const text = /\[([^\]]+)\]/.exec(before.text)?.[1] ?? before.text;
  return [{ key, kind: "write", path, base64: Buffer.from(text).toString("base64") }];
}

describeWith(LAB_PARTS, "every setting of the lab's VM", () => {
  let lab: Lab;
  let written: readonly OutstandingOriginal[];
  /** Keys of what was changed. More than what originals name: a scheduler's original holds what its change resets. */
  let applied: readonly string[];

  async function outstanding(): Promise<OutstandingOriginal[]> {
    const lines = ((await lab.vm.readFile(JOURNAL_PATH))?.toString("utf8") ?? "").trim().split("\n");
    const records = lines.map((line, index) => {
      const record = parseRecord(line, index + 1);
      if (Array.isArray(record)) throw new Error(JSON.stringify(record));
      return record;
    });
    return [...foldJournal(records).originals.values()];
  }

  async function guest(command: string, input?: string): Promise<string> {
    const { exitCode, stdout, stderr } = await lab.vm.ssh(command, {
      timeoutMillis: 300_000,
      ...(input === undefined ? {} : { input }),
    });
    if (exitCode !== 0) throw new Error(`${command}: exit code ${exitCode}: ${stderr}`);
    return stdout;
  }

  beforeAll(async () => {
    lab = await startLab({ userData: "#cloud-config\n", artifacts: [await agentArtifact()] });
    await guest(`python3 - ${BASELINE}`, TAKE_BASELINE);
    await installAgent(lab.vm, PROFILE);
    const plan = parseContract(
      hostPlanSchema,
      JSON.parse(await guest(`${HOST_PATHS.command} plan --json`)),
      "plan",
    );
    await installAgent(lab.vm, { ...PROFILE, overrides: overridesFor(plan) });
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  it(
    "is applied and read back",
    async () => {
      const { exitCode, report } = await runAgent(lab.vm, "apply");
      expect(failuresOf(report)).toEqual([]);
      expect(exitCode).toBe(0);
      written = await outstanding();
      const changed = report.entries.filter(({ outcome }) => outcome === "changed");
      process.stdout.write(
        `${changed.length} settings changed of ${report.entries.length}; ${new Set(changed.map(({ knob }) => knob)).size} knobs\n`,
      );
      applied = changed.map(({ key }) => key).toSorted();
      expect(applied).toEqual(expect.arrayContaining(written.map(({ key }) => key)));
      expect((await runAgent(lab.vm, "verify")).exitCode).toBe(0);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "put back by hand: is found, each by its name, and healed",
    async () => {
      const changes = written.toReversed().flatMap(changesByHand);
      const refused = await guest(
        `cat > /run/by-hand.json; python3 -c '${BY_HAND}' < /run/by-hand.json`,
        JSON.stringify(changes),
      );
      expect(refused).toBe("");
      const { exitCode, report } = await runAgent(lab.vm, "verify");
      expect(exitCode).toBe(3);
      const drifted = report.entries.filter(({ isDrifted }) => isDrifted).map(({ key }) => key);
      expect(drifted.toSorted()).toEqual(applied);
      const healed = await runAgent(lab.vm, "apply");
      expect(failuresOf(healed.report)).toEqual([]);
      expect((await runAgent(lab.vm, "verify")).exitCode).toBe(0);
    },
    LAB_TIMEOUT_MILLIS,
  );

  it(
    "is rolled back: every byte that was there before the agent is there again",
    async () => {
      const { exitCode, report } = await runAgent(lab.vm, "rollback");
      expect(failuresOf(report)).toEqual([]);
      expect(exitCode).toBe(0);
      const paths = written.flatMap(({ original }) =>
        original.kind === "kernel-file" ? [original.path] : [],
      );
      expect(await unlikeBaseline(lab.vm, BASELINE, new Set(paths))).toEqual([]);
      for (const { original } of written) {
        if (original.kind !== "config-file") continue;
        expect(await lab.vm.readFile(original.path), original.path).toBeUndefined();
      }
      expect(await outstanding()).toEqual([]);
    },
    LAB_TIMEOUT_MILLIS,
  );
});
