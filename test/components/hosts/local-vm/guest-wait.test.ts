import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { refuseFailedTuning } from "../../../../components/hosts/local-vm/guest-wait.ts";
import { LocalVmError } from "../../../../components/hosts/local-vm/vm-error.ts";
import { type HostReport, hostReportSchema } from "../../../../host-tuning/report/host-report.ts";

let stateDir: string;
beforeEach(() => {
  stateDir = mkdtempSync(path.join(tmpdir(), "bedplate-guest-"));
});
afterEach(() => rmSync(stateDir, { recursive: true, force: true }));

/** A machine whose QEMU has ended: nothing of it is waited for. */
const wait = () => ({ stateDir, sshPort: 1, qemu: { pid: 2 ** 30, startTicks: "1" } });

function reportOf(failed: number): HostReport {
  const outcomes = [...Array<"failed">(failed).fill("failed"), "changed" as const];
  return hostReportSchema.parse({
    apiVersion: "bedplate/v1",
    kind: "HostReport",
    verb: "apply",
    agentVersion: "0.1.0",
    hostname: "lab-0",
    kernelRelease: null,
    bootId: null,
    phase: "all",
    startedAt: "2026-11-21T20:00:00Z",
    durationMillis: 1,
    phases: [],
    planDigest: null,
    counts: { changed: 1, "already-right": 0, left: 0, unsupported: 0, "needs-reboot": 0, failed },
    drifted: 0,
    entries: outcomes.map((outcome, index) => ({
      key: `net.core.knob_${index}`,
      knob: `net.core.knob_${index}`,
      target: "",
      family: "network",
      unit: "bytes",
      outcome,
      before: "1",
      wanted: "2",
      found: "1",
      isVerified: false,
      isDrifted: false,
      because: `holds "1" after the write of "2"`,
      takesEffect: "now",
      survivesReboot: false,
      namespace: null,
      alsoSetBy: [],
      durationMillis: 1,
    })),
  });
}

test("refuseFailedTuning() lets a host pass whose agent reports no failure", async () => {
  await refuseFailedTuning(wait(), reportOf(0));
});

test("refuseFailedTuning() fails with what the agent reports, at once and not when the service never comes", async () => {
  const refused = refuseFailedTuning(wait(), reportOf(12));
  await expect(refused).rejects.toBeInstanceOf(LocalVmError);
  await expect(refused).rejects.toThrow(
    [
      "the service does not start: the agent reports 12 of 13 settings as failed",
      `  net.core.knob_0: holds "1" after the write of "2"`,
    ].join("\n"),
  );
  await expect(refused).rejects.toThrow(
    `and 2 more\nAll of its report: ${path.join(stateDir, "host-report.json")}`,
  );
});
