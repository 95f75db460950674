import { afterAll, beforeAll, expect, it } from "vitest";
import { bringUp, openVm } from "../../../components/hosts/local-vm/local-vm.ts";
import { JOURNAL_PATH } from "../../../host-tuning/engine/journal.ts";
import { agentArtifact, failuresOf, installAgent, runAgent } from "../../helpers/lab-agent.ts";
import { type Lab, endLab, LAB_PARTS, LAB_TIMEOUT_MILLIS, startLab } from "../../helpers/lab-vm.ts";
import { describeWith } from "../../helpers/needs.ts";

/** A cut costs a boot. */
const CUTS = 20;

/** How long the agent writes after its originals are on disk; the cuts are spread over it. */
const WINDOW_MILLIS = 800;

const PROFILE = {
  preset: "latency",
  workload: { connections: 200_000, streams: 200_000, outboundConnections: 20_000, usesMemoryMaps: true },
  service: { listenPorts: [8080] },
  cpu: { reserved: "0" },
  hugepages: { perNode: 8 },
};

/** Files of /etc by content, as one line each. */
const LIST_ETC =
  "cd / && find etc -xdev \\( -type f -o -type l \\) -print0 | sort -z | xargs -0 sha256sum 2>/dev/null";

describeWith(LAB_PARTS, "the power cut while the agent applies", () => {
  let lab: Lab;
  let start: Map<string, string>;
  let after: Map<string, string>;

  async function etc(): Promise<Map<string, string>> {
    const { stdout } = await lab.vm.ssh(LIST_ETC, { timeoutMillis: 120_000 });
    const lines = stdout.trim().split("\n");
    return new Map(lines.map((line): [string, string] => [line.slice(66), line.slice(0, 64)]));
  }

  /** Files that the agent is about; a daemon of the guest may write others at boot. */
  function ours(files: ReadonlyMap<string, string>): Record<string, string | undefined> {
    const paths = [...new Set([...start.keys(), ...after.keys(), ...files.keys()])].filter(
      (path) => /bedplate/.test(path) || start.get(path) !== after.get(path),
    );
    return Object.fromEntries(paths.toSorted().map((path) => [path, files.get(path)]));
  }

  beforeAll(async () => {
    lab = await startLab({
      memoryMiB: 1024,
      nvmeDisks: [],
      userData: "#cloud-config\n",
      artifacts: [await agentArtifact()],
    });
    await installAgent(lab.vm, PROFILE);
    start = await etc();
    const { report } = await runAgent(lab.vm, "apply");
    expect(failuresOf(report)).toEqual([]);
    expect(report.counts.changed).toBeGreaterThan(10);
    after = await etc();
    await runAgent(lab.vm, "rollback");
    expect(ours(await etc())).toEqual(ours(start));
    await lab.vm.ssh("rm -rf /var/lib/bedplate /run/bedplate; sync");
  }, LAB_TIMEOUT_MILLIS);

  afterAll(async () => {
    if (lab !== undefined) await endLab(lab);
  }, 120_000);

  /** Starts an apply, waits in the guest until the journal has grown, a while more, and cuts the power. */
  async function cutAfter(millis: number): Promise<void> {
    const wait = `size() { stat -c %s ${JOURNAL_PATH} 2>/dev/null || echo 0; }
before=$(size)
setsid bedplate apply >/dev/null 2>&1 </dev/null &
i=0; while [ "$(size)" -le "$before" ] && [ $i -lt 4000 ]; do i=$((i+1)); done
sleep ${(millis / 1000).toFixed(3)}`;
    await lab.vm.ssh(wait, { timeoutMillis: 120_000 });
    await lab.vm.kill();
  }

  /** How far the run had come, by what of its journal reached the disk. */
  async function stageOf(): Promise<"nothing saved" | "in the middle" | "done"> {
    const text = (await lab.vm.readFile(JOURNAL_PATH))?.toString("utf8") ?? "";
    if (text === "") return "nothing saved";
    return text.includes('"record":"outcome"') ? "done" : "in the middle";
  }

  const stages: string[] = [];

  it.each(Array.from({ length: CUTS }, (_, index) => Math.round((index * WINDOW_MILLIS) / CUTS)))(
    "leaves files before or after, and every way out open, %i ms after its originals were saved",
    { timeout: LAB_TIMEOUT_MILLIS },
    async (millis) => {
      await cutAfter(millis);
      await bringUp(lab.vm.state.spec, { stateDir: lab.stateDir });
      lab = { ...lab, vm: await openVm(lab.stateDir) };
      stages.push(await stageOf());

      for (const [path, digest] of Object.entries(ours(await etc()))) {
        if (!path.endsWith(".bedplate-new"))
          expect([start.get(path), after.get(path)], path).toContain(digest);
      }
      if (stages.length % 2 === 0) {
        expect(failuresOf((await runAgent(lab.vm, "apply")).report)).toEqual([]);
        expect((await runAgent(lab.vm, "verify")).exitCode).toBe(0);
        expect(ours(await etc())).toEqual(ours(after));
      }
      const { exitCode, report } = await runAgent(lab.vm, "rollback");
      expect({ exitCode, failures: failuresOf(report) }).toEqual({ exitCode: 0, failures: [] });
      expect(ours(await etc())).toEqual(ours(start));
      // The next cut finds a first boot again, so that "nothing saved" can be told from what this one left.
      await lab.vm.ssh("rm -rf /var/lib/bedplate /run/bedplate; sync");
    },
  );

  it("cut some of them in the middle", () => {
    expect(stages).toHaveLength(CUTS);
    expect(stages).toContain("in the middle");
  });
});
