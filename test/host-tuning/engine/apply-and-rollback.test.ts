import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { exitCodeOf } from "../../../host-tuning/engine/report-of.ts";
import { TuningError } from "../../../host-tuning/errors.ts";
import { hostReportSchema } from "../../../host-tuning/report/host-report.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { CONFIG_PATH, DEMO_KNOBS, configKnob, demoRoot, diskKnob, numberKnob } from "./demo-knobs.ts";
import { engineOn, entryNamed, outcomesOf } from "./engine.ts";
import { treeHash, treeState } from "./tree-state.ts";

const JOURNAL = "/var/lib/bedplate/journal.jsonl";

describe("applyPlan()", () => {
  it("writes what was planned and reports each value as it was read back", async () => {
    await using host = await demoRoot();
    const report = await engineOn(host.root).apply();
    expect(outcomesOf(report)).toEqual({
      "demo.backlog": "changed",
      "demo.raised": "left",
      "demo.absent": "unsupported",
      "demo.config": "changed",
      "demo/scheduler[disk0]": "changed",
      "demo/scheduler[disk1]": "already-right",
    });
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      before: "128",
      wanted: "4096",
      found: "4096",
      isVerified: true,
    });
    expect(await host.read("/proc/sys/demo/backlog")).toBe("4096\n");
    expect(await host.read(CONFIG_PATH)).toBe("limit=65536\n");
    expect(parseContract(hostReportSchema, JSON.parse(JSON.stringify(report)), "report")).toEqual(report);
    expect(exitCodeOf(report)).toBe(0);
  });

  it("changes nothing the second time, not a byte of the tree nor of the journal", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    const before = treeHash(host.root);
    const report = await engine.apply();
    expect(report.counts).toMatchObject({ changed: 0, "already-right": 4, failed: 0 });
    expect(treeHash(host.root)).toBe(before);
  });

  it("saves every original durably before the first write", async () => {
    await using host = await demoRoot();
    const live = openHost(host.root);
    const journalAtFirstWrite: string[] = [];
    const watching = Object.assign(openHost(host.root), {
      writeKernelFile: async (path: string, text: string) => {
        journalAtFirstWrite.push(readFileSync(join(host.root, JOURNAL), "utf8"));
        await live.writeKernelFile(path, text);
      },
    });
    await engineOn(host.root).apply({ host: watching });
    const [first = ""] = journalAtFirstWrite;
    expect(first).toContain('"before":{"text":"128\\n"}');
    expect(first).toContain('"before":{"text":"mq-deadline\\n"}');
    expect(first).toContain(`"path":"${CONFIG_PATH}","before":null`);
  });

  it("refuses a saved plan when the host changed since, naming the step, and writes nothing", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const plan = await engine.plan();
    await host.write("/proc/sys/demo/backlog", "256\n");
    const before = treeState(host.root);
    const applying = engine.apply({ expected: { plan, source: "plan.json" } });
    await expect(applying).rejects.toThrow(TuningError);
    await expect(applying).rejects.toMatchObject({ code: "PLAN_STALE" });
    await expect(applying).rejects.toThrow('demo.backlog: before was "128", is "256"');
    expect(treeState(host.root)).toEqual(before);
    expect(existsSync(join(host.root, JOURNAL))).toBe(false);
  });

  it("applies a saved plan that still fits", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    const plan = await engine.plan();
    const report = await engine.apply({ expected: { plan, source: "plan.json" } });
    expect(report.planDigest).toBe(plan.digest);
    expect(report.counts.changed).toBe(3);
  });

  it("fails a knob whose write is silently ignored, quoting what was read back, and lands the others", async () => {
    await using host = await demoRoot({ "/proc/sys/demo/effective": "1\n" });
    const ignored = numberKnob("ignored", 5, {
      read: async (live) => Number((await live.readText("/proc/sys/demo/effective"))?.trim()),
      writes: () => [{ kind: "kernel-file", path: "/proc/sys/demo/raised", text: "5\n" }],
      explainShortfall: (wanted, found) => `the device has ${found} of ${wanted}`,
    });
    const report = await engineOn(host.root).apply({ knobs: [ignored, ...DEMO_KNOBS] });
    expect(entryNamed(report, "demo.ignored")).toMatchObject({
      outcome: "failed",
      found: "1",
      isVerified: false,
      because:
        'Cannot set demo.ignored to 5 connections: the host holds "1" after the write; the device has 1 of 5',
    });
    expect(report.counts).toMatchObject({ changed: 3, failed: 1 });
    expect(exitCodeOf(report)).toBe(1);
  });

  it.each(["EPERM", "EIO", "EBUSY", "ERANGE", "ENOENT"])(
    "fails a knob whose write gives %s and lands the others",
    async (code) => {
      await using host = await demoRoot();
      const live = openHost(host.root);
      const faulty = Object.assign(openHost(host.root), {
        writeKernelFile: async (path: string, text: string) => {
          if (path === "/proc/sys/demo/backlog") {
            throw new TuningError("HOST_WRITE", path, `Cannot write "4096" to ${path}: ${code}`);
          }
          await live.writeKernelFile(path, text);
        },
      });
      const report = await engineOn(host.root).apply({ host: faulty });
      expect(entryNamed(report, "demo.backlog")).toMatchObject({ outcome: "failed", found: "128" });
      expect(entryNamed(report, "demo.backlog").because).toContain(code);
      expect(report.counts).toMatchObject({ changed: 2, failed: 1 });
    },
  );

  it("fails a read-only kernel file of a real tree and lands the others", async () => {
    await using host = await demoRoot();
    chmodSync(join(host.root, "/proc/sys/demo/backlog"), 0o444);
    const report = await engineOn(host.root).apply();
    expect(entryNamed(report, "demo.backlog").because).toMatch(/EACCES/);
    expect(report.counts).toMatchObject({ changed: 2, failed: 1 });
  });

  it("turns an exception of a knob's read-back into that knob's failure", async () => {
    await using host = await demoRoot();
    let reads = 0;
    const moody = numberKnob("backlog", 4096, {
      read: async () => {
        reads++;
        if (reads > 1) throw new Error("device is gone");
        return await Promise.resolve(1);
      },
    });
    const report = await engineOn(host.root).apply({ knobs: [moody, diskKnob] });
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      outcome: "failed",
      because: "Cannot read demo.backlog back: device is gone",
    });
    expect(entryNamed(report, "demo/scheduler[disk0]").outcome).toBe("changed");
  });

  it("never follows a link of the tree from a device's file to a configuration file", async () => {
    await using host = await demoRoot({ "/sys/block/disk9": { link: "../../etc" } });
    const evil = numberKnob("backlog", 4096, {
      writes: () => [{ kind: "kernel-file", path: "/sys/block/disk9/hostname", text: "owned\n" }],
    });
    const report = await engineOn(host.root).apply({ knobs: [evil, diskKnob] });
    expect(entryNamed(report, "demo.backlog").because).toContain("outside /proc/sys/");
    expect(await host.read("/etc/hostname")).toBe("demo\n");
    expect(entryNamed(report, "demo/scheduler[disk0]").outcome).toBe("changed");
  });

  it("writes the value in between first, and only when it is not there already", async () => {
    await using host = await demoRoot({ "/sys/block/disk0/numvfs": "2\n", "/sys/block/disk1/numvfs": "0\n" });
    const live = openHost(host.root);
    const written: string[] = [];
    const watching = Object.assign(openHost(host.root), {
      writeKernelFile: async (path: string, text: string) => {
        written.push(`${path} ${text.trim()}`);
        await live.writeKernelFile(path, text);
      },
    });
    const functions = numberKnob("functions", 4, {
      targets: () => [{ name: "disk0" }, { name: "disk1" }],
      read: async (live, target) => Number(await live.readText(`/sys/block/${target.name}/numvfs`)),
      writes: (value, target) => [
        { kind: "kernel-file", path: `/sys/block/${target.name}/numvfs`, text: `${value}\n`, via: "0" },
      ],
    });
    const engine = engineOn(host.root);
    await engine.apply({ host: watching, knobs: [functions] });
    await engine.rollback({ host: watching, knobs: [functions] });
    expect(written).toEqual([
      "/sys/block/disk0/numvfs 0",
      "/sys/block/disk0/numvfs 4",
      "/sys/block/disk1/numvfs 4",
      "/sys/block/disk1/numvfs 0",
      "/sys/block/disk0/numvfs 0",
      "/sys/block/disk0/numvfs 2",
    ]);
  });

  it("says needs-reboot for what only a reboot brings about, and does not rewrite it", async () => {
    await using host = await demoRoot();
    const bootArgument = numberKnob("backlog", 4096, {
      takesEffect: "reboot",
      survivesReboot: true,
      writes: (value) => [{ kind: "config-file", path: "/etc/demo.conf", text: `backlog=${value}\n` }],
    });
    const engine = engineOn(host.root);
    const report = await engine.apply({ knobs: [bootArgument] });
    expect(outcomesOf(report)).toEqual({ "demo.backlog": "needs-reboot" });
    expect(exitCodeOf(report)).toBe(4);
    const inode = statSync(join(host.root, "/etc/demo.conf")).ino;
    expect(outcomesOf(await engine.apply({ knobs: [bootArgument] }))).toEqual({
      "demo.backlog": "needs-reboot",
    });
    expect(statSync(join(host.root, "/etc/demo.conf")).ino).toBe(inode);
    const verified = await engine.verify({ knobs: [bootArgument] });
    expect([outcomesOf(verified), exitCodeOf(verified)]).toEqual([{ "demo.backlog": "needs-reboot" }, 4]);
  });

  it("sets again what a write of another knob resets, and rolls both back", async () => {
    await using host = await demoRoot({ "/proc/sys/demo/length": "64\n" });
    const start = treeState(host.root);
    const live = openHost(host.root);
    // As the kernel does: a new scheduler brings the queue's length back to its default.
    const resetting = Object.assign(openHost(host.root), {
      writeKernelFile: async (path: string, text: string) => {
        await live.writeKernelFile(path, text);
        if (path.endsWith("/scheduler")) await live.writeKernelFile("/proc/sys/demo/length", "256\n");
      },
    });
    const length = numberKnob("length", 64, {
      phase: "late",
      after: ["demo/scheduler"],
      desired: () => ({ kind: "set", value: 64, because: "short" }),
    });
    const knobs = [diskKnob, length];
    const engine = engineOn(host.root);
    const report = await engine.apply({ host: resetting, knobs });
    expect(entryNamed(report, "demo.length")).toMatchObject({
      outcome: "already-right",
      before: "64",
      found: "64",
      isVerified: true,
    });
    expect(await host.read("/proc/sys/demo/length")).toBe("64\n");
    await engine.rollback({ host: resetting, knobs });
    expect(treeState(host.root)).toEqual(start);
  });

  it("shows the value that a write of another knob gave to a setting left alone", async () => {
    await using host = await demoRoot({ "/proc/sys/demo/length": "64\n" });
    const live = openHost(host.root);
    const resetting = Object.assign(openHost(host.root), {
      writeKernelFile: async (path: string, text: string) => {
        await live.writeKernelFile(path, text);
        if (path.endsWith("/scheduler")) await live.writeKernelFile("/proc/sys/demo/length", "256\n");
      },
    });
    const length = numberKnob("length", 64, {
      phase: "late",
      after: ["demo/scheduler"],
      desired: () => ({ kind: "leave", because: "nothing to gain" }),
    });
    const report = await engineOn(host.root).apply({ host: resetting, knobs: [diskKnob, length] });
    expect(entryNamed(report, "demo.length")).toMatchObject({ outcome: "left", before: "64", found: "256" });
  });
});

describe("verifyHost()", () => {
  it("says as wanted after apply, drifted after somebody's change, and writes nothing", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    expect(exitCodeOf(await engine.verify())).toBe(3);
    await engine.apply();
    expect(exitCodeOf(await engine.verify())).toBe(0);
    await host.write("/proc/sys/demo/backlog", "100\n");
    const before = treeHash(host.root);
    const report = await engine.verify();
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      outcome: "left",
      isDrifted: true,
      isVerified: false,
      found: "100",
    });
    expect([report.drifted, exitCodeOf(report)]).toEqual([1, 3]);
    expect(treeHash(host.root)).toBe(before);
  });

  it("calls a value that somebody raised drifted too, though it is left", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    await host.write("/proc/sys/demo/backlog", "9000\n");
    const report = await engine.verify();
    expect(entryNamed(report, "demo.backlog")).toMatchObject({ outcome: "left", isDrifted: true });
    expect(exitCodeOf(report)).toBe(3);
  });

  it("is healed by the next apply, which says so", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    await host.write("/proc/sys/demo/backlog", "100\n");
    const report = await engine.apply();
    expect(entryNamed(report, "demo.backlog")).toMatchObject({ outcome: "changed", isDrifted: true });
    expect(exitCodeOf(report)).toBe(0);
    expect(exitCodeOf(await engine.verify())).toBe(0);
  });
});

describe("rollbackHost()", () => {
  it("gives the tree back byte for byte, folders and rights included", async () => {
    await using host = await demoRoot({ "/etc/demo.d/other": "kept\n" });
    chmodSync(join(host.root, "/proc/sys/demo/backlog"), 0o640);
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    await engine.apply();
    expect(treeState(host.root)).not.toEqual(start);
    const report = await engine.rollback();
    expect(treeState(host.root)).toEqual(start);
    expect(report.counts).toMatchObject({ changed: 3, failed: 0 });
    expect(entryNamed(report, "demo.backlog")).toMatchObject({
      wanted: "128",
      found: "128",
      isVerified: true,
    });
  });

  it("restores a configuration file that was there, with bytes that are no text and its rights", async () => {
    await using host = await demoRoot({ [CONFIG_PATH]: "old\n" });
    writeFileSync(join(host.root, CONFIG_PATH), Buffer.from([0xff, 0x00, 0xfe, 0x0a]), { mode: 0o600 });
    chmodSync(join(host.root, CONFIG_PATH), 0o600);
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    await engine.apply({ knobs: [configKnob] });
    await engine.rollback();
    expect(treeState(host.root)).toEqual(start);
  });

  it("takes back to the first original after many applies, and has nothing left to do after", async () => {
    await using host = await demoRoot();
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    for (const value of [200, 300, 400]) {
      const overrides = { "demo.backlog": { value, because: "a test" } };
      await engine.apply({ profile: { overrides } });
    }
    await engine.rollback();
    expect(treeState(host.root)).toEqual(start);
    expect((await engine.rollback()).entries).toEqual([]);
    expect((await engine.status()).entries).toEqual([]);
  });

  it("saves new originals after a rollback", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    await engine.rollback();
    await host.write("/proc/sys/demo/backlog", "777\n");
    await engine.apply();
    await engine.rollback();
    expect(await host.read("/proc/sys/demo/backlog")).toBe("777\n");
  });

  it("writes only the one of a pair that was in force, as the kernel zeroes the other", async () => {
    await using host = await demoRoot({
      "/proc/sys/demo/dirty_bytes": "0\n",
      "/proc/sys/demo/dirty_ratio": "20\n",
    });
    const start = treeState(host.root);
    const live = openHost(host.root);
    const written: string[] = [];
    // As the kernel does with vm.dirty_bytes and vm.dirty_ratio; 0 is refused.
    const pair = ["/proc/sys/demo/dirty_bytes", "/proc/sys/demo/dirty_ratio"];
    const zeroing = Object.assign(openHost(host.root), {
      isKernelFile: () => true,
      writeKernelFile: async (path: string, text: string) => {
        if (text.trim() === "0") throw new TuningError("HOST_WRITE", path, "EINVAL");
        written.push(`${path} ${text.trim()}`);
        await live.writeKernelFile(path, text);
        for (const other of pair) if (other !== path) await live.writeKernelFile(other, "0\n");
      },
    });
    const knob = numberKnob("dirty_bytes", 8192, {
      writes: (value) => [
        {
          kind: "kernel-file",
          path: "/proc/sys/demo/dirty_bytes",
          text: `${value}\n`,
          counterpart: "/proc/sys/demo/dirty_ratio",
        },
      ],
    });
    const engine = engineOn(host.root);
    await engine.apply({ host: zeroing, knobs: [knob] });
    expect(await host.read("/proc/sys/demo/dirty_ratio")).toBe("0\n");
    const report = await engine.rollback({ host: zeroing, knobs: [knob] });
    expect(report.counts.changed).toBe(1);
    expect(treeState(host.root)).toEqual(start);
    expect(written).toEqual(["/proc/sys/demo/dirty_bytes 8192", "/proc/sys/demo/dirty_ratio 20"]);
  });

  it("writes the chosen word back into a kernel file that lists choices", async () => {
    await using host = await demoRoot({ "/sys/block/disk0/queue/scheduler": "none [mq-deadline] kyber\n" });
    const start = treeState(host.root);
    const live = openHost(host.root);
    const choosing = Object.assign(openHost(host.root), {
      isKernelFile: () => true,
      writeKernelFile: async (path: string, text: string) => {
        const words = ["none", "mq-deadline", "kyber"];
        if (!words.includes(text.trim())) throw new TuningError("HOST_WRITE", path, "EINVAL");
        const shown = words.map((word) => (word === text.trim() ? `[${word}]` : word)).join(" ");
        await live.writeKernelFile(path, `${shown}\n`);
      },
    });
    const knob = numberKnob("any", 1, {
      targets: () => [{ name: "disk0" }],
      read: async (live) =>
        (await live.readText("/sys/block/disk0/queue/scheduler"))?.includes("[none]") === true ? 1 : 0,
      writes: () => [{ kind: "kernel-file", path: "/sys/block/disk0/queue/scheduler", text: "none" }],
    });
    const engine = engineOn(host.root);
    expect((await engine.apply({ host: choosing, knobs: [knob] })).counts.changed).toBe(1);
    expect((await engine.rollback({ host: choosing, knobs: [knob] })).counts.changed).toBe(1);
    expect(treeState(host.root)).toEqual(start);
  });

  it("keeps what failed for a second try, and drops what is back", async () => {
    await using host = await demoRoot();
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    await engine.apply();
    chmodSync(join(host.root, "/proc/sys/demo/backlog"), 0o444);
    const first = await engine.rollback();
    expect(entryNamed(first, "demo.backlog")).toMatchObject({ outcome: "failed", found: "4096" });
    expect(exitCodeOf(first)).toBe(1);
    expect((await engine.status()).entries.map((entry) => entry.key)).toEqual(["demo.backlog"]);
    chmodSync(join(host.root, "/proc/sys/demo/backlog"), 0o644);
    const second = await engine.rollback();
    expect(outcomesOf(second)).toEqual({ "demo.backlog": "changed" });
    expect(treeState(host.root)).toEqual(start);
  });

  it("puts back a step whose knob the registry no longer has", async () => {
    await using host = await demoRoot();
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    await engine.apply();
    await engine.rollback({ knobs: [] });
    expect(treeState(host.root)).toEqual(start);
  });

  it("drops a device that is gone", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    await host.remove("/sys/block/disk0");
    const report = await engine.rollback();
    expect(entryNamed(report, "demo/scheduler[disk0]")).toMatchObject({
      outcome: "already-right",
      found: null,
    });
    expect((await engine.status()).entries).toEqual([]);
  });
});

describe("after a reboot", () => {
  const SECOND_BOOT = "11111111-2222-3333-4444-555555555555";

  async function rebooted(root: Awaited<ReturnType<typeof demoRoot>>): Promise<void> {
    await root.write("/proc/sys/kernel/random/boot_id", `${SECOND_BOOT}\n`);
    await root.write("/proc/sys/demo/backlog", "128\n");
    await root.write("/sys/block/disk0/queue/scheduler", "mq-deadline\n");
  }

  it("apply sets again what a reboot takes and leaves what survives", async () => {
    await using host = await demoRoot();
    const start = treeState(host.root);
    const engine = engineOn(host.root);
    await engine.apply();
    await rebooted(host);
    const status = await engine.status();
    expect(status.entries.map((entry) => [entry.key, entry.standing])).toEqual([
      ["demo.backlog", "gone-with-reboot"],
      ["demo.config", "in-force"],
      ["demo/scheduler[disk0]", "gone-with-reboot"],
    ]);
    expect(status.drifted).toBe(0);
    const report = await engine.apply();
    expect(outcomesOf(report)).toMatchObject({
      "demo.backlog": "changed",
      "demo.config": "already-right",
      "demo/scheduler[disk0]": "changed",
    });
    expect(report.drifted).toBe(0);
    await engine.rollback();
    expect(treeState(host.root)).toEqual({
      ...start,
      "/proc/sys/kernel/random/boot_id": treeState(host.root)["/proc/sys/kernel/random/boot_id"],
    });
  });

  it("never writes a kernel value of an earlier boot: the number may be another device's now", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    await engine.apply();
    await rebooted(host);
    await host.write("/sys/block/disk0/queue/scheduler", "kyber\n");
    const report = await engine.rollback();
    expect(entryNamed(report, "demo/scheduler[disk0]").outcome).toBe("already-right");
    expect(await host.read("/sys/block/disk0/queue/scheduler")).toBe("kyber\n");
    expect(existsSync(join(host.root, CONFIG_PATH))).toBe(false);
  });
});

describe("statusOf()", () => {
  it("says what was changed, from what, since when, and whether it drifted", async () => {
    await using host = await demoRoot();
    const engine = engineOn(host.root);
    expect((await engine.status()).entries).toEqual([]);
    await engine.apply();
    await host.write("/proc/sys/demo/backlog", "100\n");
    const status = await engine.status();
    expect(status.drifted).toBe(1);
    expect(status.entries[0]).toMatchObject({
      key: "demo.backlog",
      original: "128",
      set: "4096",
      found: "100",
      standing: "drifted",
      isThisBoot: true,
      survivesReboot: false,
      places: ["/proc/sys/demo/backlog"],
    });
    expect(status.entries[1]).toMatchObject({
      key: "demo.config",
      standing: "in-force",
      survivesReboot: true,
    });
  });
});
