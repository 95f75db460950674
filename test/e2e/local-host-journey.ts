import { spawnSync } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { callService } from "../../cli/local/call-service.ts";
import { specsOf } from "../../cli/local/local-environment.ts";
import { buildHostArchives } from "../../components/environment/host-archives.ts";
import { loadEnvironment } from "../../components/environment/load-environment.ts";
import { bringUp, openVm, tearDown } from "../../components/hosts/local-vm/local-vm.ts";
import type { LocalVm, LocalVmBringUp } from "../../components/hosts/local-vm/vm-state.ts";
import { HOST_PATHS } from "../../host-tuning/boot/paths.ts";
import { parseRecord } from "../../host-tuning/engine/journal-records.ts";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { type HostReport, type ReportEntry, hostReportSchema } from "../../host-tuning/report/host-report.ts";
import { TAKE_BASELINE, unlikeBaseline } from "../helpers/guest-baseline.ts";
import { ROOT_USER, describeWith, program } from "../helpers/needs.ts";

const BOOT_LIMIT_MILLIS = 900_000;
const BASELINE = "/var/lib/baseline.json";

function withBaseline(userData: string): string {
  const config = parse(userData) as Record<string, unknown>;
  return `#cloud-config\n${stringify({ ...config, bootcmd: [["python3", "-c", TAKE_BASELINE, BASELINE]] }, { lineWidth: 0 })}`;
}

function entriesWhere(report: HostReport, test: (entry: ReportEntry) => boolean): string[] {
  return report.entries.filter(test).map((entry) => `${entry.key}: ${entry.outcome}: ${entry.because}`);
}

/**
 * The whole way on a real kernel: user data through cloud-init, agent at boot, service, drift, reboot, rollback. One VM
 * for all of it, so the tests stand in the order of its life.
 */
export function describeLocalHost(suite: "bookworm" | "trixie"): void {
  describeWith(
    [
      ROOT_USER,
      program("qemu-system-x86_64", "node components/hosts/local-vm/main.ts install-packages"),
      program("mmdebstrap", "node components/hosts/local-vm/main.ts install-packages"),
    ],
    `a local host of Debian ${suite}, from user data to rollback`,
    () => {
      let stateDir: string;
      let up: LocalVmBringUp;
      let vm: LocalVm;

      async function agent(line: string): Promise<{ exitCode: number; report: HostReport }> {
        const { exitCode, stdout, stderr } = await vm.ssh(`${HOST_PATHS.command} ${line} --json`, {
          timeoutMillis: 300_000,
        });
        expect(stdout, stderr).not.toBe("");
        return { exitCode, report: parseContract(hostReportSchema, JSON.parse(stdout), line) };
      }

      async function readReport(): Promise<HostReport> {
        const bytes = await vm.readFile(HOST_PATHS.report);
        return parseContract(hostReportSchema, JSON.parse(bytes?.toString("utf8") ?? "null"), "report");
      }

      beforeAll(async () => {
        stateDir = await mkdtemp(path.join(tmpdir(), "bedplate-e2e-"));
        const environment = await loadEnvironment("local");
        const pool = environment.hostPools.find((candidate) => candidate.where === "local");
        if (pool === undefined) throw new Error("the local environment has no local pool");
        const [spec] = specsOf(environment, pool, await buildHostArchives(new Set(["x86_64"])));
        if (spec === undefined) throw new Error("the local pool has no machine");
        up = await bringUp(
          { ...spec, name: "e2e", userData: withBaseline(spec.userData), image: { suite } },
          { stateDir },
        );
        vm = await openVm(stateDir);
      }, BOOT_LIMIT_MILLIS);

      afterAll(async () => {
        await tearDown(stateDir);
        await rm(stateDir, { recursive: true, force: true });
      }, 120_000);

      it("tunes the host at boot, in both phases, and fails nothing", () => {
        const { report } = up;
        if (report === undefined) throw new Error("no report");
        expect(entriesWhere(report, (entry) => entry.outcome === "failed")).toEqual([]);
        expect(report.phase).toBe("all");
        expect(report.counts.changed).toBeGreaterThan(5);
        expect(entriesWhere(report, (entry) => entry.outcome === "changed" && !entry.isVerified)).toEqual([]);
        const changed = new Set(report.entries.filter((e) => e.outcome === "changed").map((e) => e.knob));
        expect([...changed]).toEqual(
          expect.arrayContaining([
            "sriov_numvfs",
            "net.ipv4.tcp_slow_start_after_idle",
            "systemd.LimitNOFILE",
          ]),
        );
        expect(
          report.entries.filter((e) => e.knob.includes("hugepages") && e.outcome === "changed"),
        ).toHaveLength(2);
      });

      it("serves a tool to a client of the newest revision, with the limits in force there", async () => {
        const answer = await callService(`http://${up.address}:${up.servicePort}/mcp`);
        expect(answer.protocolVersion).toBe("2026-07-28");
        const files = (await readReport()).entries.find((entry) => entry.knob === "systemd.LimitNOFILE");
        expect(files?.wanted).toContain(String(answer.limits.openFilesHard));
        expect(answer.limits.sysctls["net.ipv4.tcp_slow_start_after_idle"]).toBe("0");
        expect(answer.limits.cpusAllowedList).toBe("2-3");
      });

      it("serves a tool to an older client", async () => {
        const client = new Client(
          { name: "older", version: "1" },
          { versionNegotiation: { mode: "legacy" } },
        );
        await client.connect(
          new StreamableHTTPClientTransport(new URL(`http://${up.address}:${up.servicePort}/mcp`)),
        );
        const result = await client.callTool({ name: "echo", arguments: { text: "hello" } });
        await client.close();
        expect(JSON.stringify(result.content)).toContain("hello");
      });

      it("apply a second time changes nothing", async () => {
        const { exitCode, report } = await agent("apply");
        expect(
          entriesWhere(report, (entry) => entry.outcome === "changed" || entry.outcome === "failed"),
        ).toEqual([]);
        expect(exitCode).toBe(0);
      }, 300_000);

      it("verify finds what was changed by hand, and apply puts it right", async () => {
        const key = "net.ipv4.tcp_slow_start_after_idle";
        expect((await vm.ssh(`sysctl -w ${key}=1`)).exitCode).toBe(0);
        const drifted = await agent("verify");
        expect(drifted.exitCode).toBe(3);
        expect(drifted.report.entries.filter((entry) => entry.isDrifted).map((entry) => entry.key)).toEqual([
          key,
        ]);
        const healed = await agent("apply");
        expect(entriesWhere(healed.report, (entry) => entry.outcome === "changed")).toHaveLength(1);
        expect((await vm.ssh(`sysctl -n ${key}`)).stdout.trim()).toBe("0");
      }, 600_000);

      it(
        "reboot: the agent runs again, sets what is lost, and finds right what persists",
        async () => {
          const before = await readReport();
          await vm.reboot();
          const waited = await vm.ssh(
            "systemctl is-system-running --wait >/dev/null; systemctl is-active bedplate-early.service bedplate.service mcp-service.service bedplate-drift.timer",
            { timeoutMillis: 300_000 },
          );
          expect(waited.stdout.trim().split("\n")).toEqual(["active", "active", "active", "active"]);
          const after = await readReport();
          expect(after.bootId).not.toBe(before.bootId);
          expect(entriesWhere(after, (entry) => entry.outcome === "failed")).toEqual([]);
          const persists = after.entries.filter((entry) => entry.survivesReboot && entry.wanted !== null);
          expect(persists.length).toBeGreaterThan(0);
          expect(persists.map((entry) => `${entry.key}: ${entry.outcome}`)).toEqual(
            persists.map((entry) => `${entry.key}: already-right`),
          );
          expect(after.entries.find((entry) => entry.knob === "sriov_numvfs")?.outcome).toBe("changed");
        },
        BOOT_LIMIT_MILLIS,
      );

      it("rollback: every byte that was there before the first apply is back", async () => {
        const journal =
          (await vm.readFile("/var/lib/bedplate/journal.jsonl"))?.toString("utf8").trim().split("\n") ?? [];
        const paths = new Set<string>();
        const configFiles: string[] = [];
        for (const [index, line] of journal.entries()) {
          const record = parseRecord(line, index + 1);
          if (Array.isArray(record) || record.record !== "step") continue;
          for (const { original } of record.originals) {
            if (original.kind === "kernel-file") paths.add(original.path);
            if (original.kind === "config-file") configFiles.push(original.path);
          }
        }
        expect(paths.size).toBeGreaterThan(5);
        expect(configFiles.length).toBeGreaterThan(0);

        const { exitCode, report } = await agent("rollback");
        expect(entriesWhere(report, (entry) => entry.outcome === "failed")).toEqual([]);
        expect(exitCode).toBe(0);

        expect(await unlikeBaseline(vm, BASELINE, paths)).toEqual([]);
        for (const file of configFiles) expect(await vm.readFile(file), file).toBeUndefined();
        expect((await vm.ssh(`${HOST_PATHS.command} status --json`)).stdout).toContain('"entries": []');
      }, 600_000);

      it("tearDown() leaves no process and no file", async () => {
        await tearDown(stateDir);
        const left = spawnSync("pgrep", ["-f", stateDir], { encoding: "utf8" });
        expect(left.stdout).toBe("");
        await expect(openVm(stateDir)).rejects.toThrow("none is running");
      }, 120_000);
    },
  );
}
