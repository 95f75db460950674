import { spawnSync } from "node:child_process";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { confirmHost } from "../../../host-tuning/engine/confirm-host.ts";
import { exitCodeOf } from "../../../host-tuning/engine/report-of.ts";
import { rollbackUnconfirmed } from "../../../host-tuning/engine/rollback-unconfirmed.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import { renderReport } from "../../../host-tuning/report/render-report.ts";
import { joinPhases } from "../../../host-tuning/report/save-report.ts";
import { renderStatus } from "../../../host-tuning/report/render-status.ts";
import type { LiveHost } from "../../../host-tuning/sys/live-host.ts";
import type { HostRoot, HostTree } from "../../helpers/host-root.ts";
import { CONFIG_PATH, configKnob, demoRoot, numberKnob } from "./demo-knobs.ts";
import { type EngineChanges, engineOn, entryNamed } from "./engine.ts";
import { liveTree } from "./live-tree.ts";
import { treeState } from "./tree-state.ts";

const JOURNAL = "/var/lib/bedplate/journal.jsonl";
const BACKLOG = "/proc/sys/demo/backlog";
const LINK = "/proc/sys/demo/link";
const SYSTEMD: HostTree = { "/run/systemd/system/keep": "", [LINK]: "1500\n" };

/** A setting that cuts the host off when it is wrong; the profile's connections are its value. */
const link = numberKnob("link", 0, {
  canCutOff: true,
  desired: ({ profile }) => ({ kind: "set", value: profile.workload.connections, because: "asked for" }),
});
const safe = numberKnob("backlog", 4096);
/** Writes the same file as `link` does. */
const sharer = numberKnob("sharer", 7, {
  read: async () => await Promise.resolve(1),
  writes: () => [{ kind: "kernel-file", path: LINK, text: "7\n" }],
});

const ROUTE =
  "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\nup0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\n";
const REVERT = ["bedplate", "rollback", "--unconfirmed"] as const;
const silent = async (): Promise<string> => await Promise.resolve("the gateway 10.0.0.1 does not answer");
const answering = async (): Promise<undefined> => await Promise.resolve(undefined);

function applying(host: LiveHost, changes: EngineChanges & { readonly isUp?: boolean }): EngineChanges {
  const { isUp = false, ...rest } = changes;
  return {
    host,
    knobs: [safe, link],
    confirmation: { revert: REVERT, whyNotReachable: isUp ? answering : silent },
    ...rest,
  };
}

const NINE_THOUSAND = { profile: { workload: { connections: 9000 } } };

async function takeBack(host: LiveHost): Promise<HostReport> {
  return await rollbackUnconfirmed({ host, knobs: [safe, link], hostname: "demo", kernelRelease: null });
}

async function nextBoot(host: HostRoot, boot: number): Promise<void> {
  await host.write("/proc/sys/kernel/random/boot_id", `${boot}2222222-1f0e-6f3f-4f6c-9a552c7f1f4f\n`);
}

describe("a change that can cut the host off", () => {
  it("is journaled and has its timer before it is written, with what takes it back", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host, calls } = liveTree(root.root);
    const seen: string[] = [];
    const watching = new Proxy(host, {
      get: (target, name) =>
        name === "writeKernelFile"
          ? async (path: string, text: string) => {
              seen.push(
                `${calls.length} timers, pending: ${(await root.read(JOURNAL)).includes('"pending"')}`,
              );
              await host.writeKernelFile(path, text);
            }
          : (Reflect.get(target, name) as unknown),
    });
    const report = await engineOn(root.root).apply(applying(watching, NINE_THOUSAND));
    expect(seen).toEqual(["1 timers, pending: true", "1 timers, pending: true"]);
    expect(calls[0]).toMatch(
      /^systemd-run .*--on-active=120s .*DefaultDependencies=no .*-- bedplate rollback --unconfirmed$/,
    );
    expect(report.confirmations).toMatchObject([
      { state: "waiting", keys: ["demo.link"], because: "the gateway 10.0.0.1 does not answer" },
    ]);
    expect(renderReport(report).replaceAll("\n  ", " ")).toMatch(
      /not confirmed: demo\.link \(the gateway 10\.0\.0\.1 does not answer\); taken back after 20/,
    );
  });

  it("needs no timer where nothing can", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host, calls } = liveTree(root.root);
    const report = await engineOn(root.root).apply(applying(host, { knobs: [safe] }));
    expect(calls).toEqual([]);
    expect(report.confirmations).toBeUndefined();
  });

  it("has its NIC's addresses brought back, by apply, by rollback and when it is taken back", async () => {
    await using root = await demoRoot({
      ...SYSTEMD,
      "/sys/class/net/up0/ifindex": "2\n",
      "/sys/class/net/up0/carrier": "1\n",
      "/run/systemd/netif/links/2": "ADMIN_STATE=failed\n",
    });
    // Each write costs the address; asking systemd-networkd brings it back.
    let has = true;
    const { host } = liveTree(root.root, (tool) => {
      if (tool === "networkctl") has = true;
      const families = has ? [{ family: "inet", scope: "global" }] : [];
      const stdout = tool === "ip" ? JSON.stringify([{ ifname: "up0", addr_info: families }]) : "";
      return { exitCode: 0, stdout, stderr: "" };
    });
    const losing = new Proxy(host, {
      get: (target, name) =>
        name === "writeKernelFile"
          ? async (path: string, text: string) => {
              has = false;
              await host.writeKernelFile(path, text);
            }
          : (Reflect.get(target, name) as unknown),
    });
    const engine = engineOn(root.root);
    const applied = await engine.apply(applying(losing, { ...NINE_THOUSAND, isUp: true }));
    expect(applied.network).toMatchObject([{ device: "up0", families: ["IPv4"], state: "brought-back" }]);
    expect(exitCodeOf(applied)).toBe(0);
    expect(renderReport(applied)).toContain("up0 has its address again: IPv4 did not come back");
    const back = await engine.rollback({ knobs: [safe, link], host: losing });
    expect(back.network).toMatchObject([{ device: "up0", state: "brought-back" }]);

    await engine.apply(applying(losing, NINE_THOUSAND));
    expect((await takeBack(losing)).network).toMatchObject([{ device: "up0", state: "brought-back" }]);

    // Both phases of a boot are one report.
    const early = { ...applied, phase: "early", bootId: back.bootId } as const;
    expect(joinPhases(early, { ...applied, phase: "late" }).network).toHaveLength(2);

    const lost: HostReport = {
      ...applied,
      network: [{ device: "up0", families: ["IPv4"], state: "lost", because: "nobody to ask" }],
    };
    expect(exitCodeOf(lost)).toBe(1);
    expect(renderReport(lost)).toContain("up0 has no address any more: nobody to ask");
  });

  it("stays when everything answers, and its timer is stopped", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    const report = await engine.apply(applying(host, { ...NINE_THOUSAND, isUp: true }));
    expect(report.confirmations).toMatchObject([{ state: "confirmed", keys: ["demo.link"] }]);
    expect(calls[1]).toMatch(/^systemctl stop bedplate-revert-[0-9a-f]{8}-0\.timer$/);
    expect((await engine.status()).pending).toEqual([]);
    expect((await takeBack(host)).entries).toEqual([]);
    expect(await root.read(LINK)).toBe("9000\n");
  });

  it("goes back when nobody confirms it, alone, to what was there just before", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, { profile: { workload: { connections: 4000 } }, isUp: true }));
    await engine.apply(applying(host, NINE_THOUSAND));
    expect(await root.read(LINK)).toBe("9000\n");
    const report = await takeBack(host);
    expect(report.entries).toMatchObject([
      {
        key: "demo.link",
        outcome: "changed",
        before: "9000",
        wanted: "4000",
        found: "4000",
        isVerified: true,
      },
    ]);
    expect(report.confirmations).toMatchObject([{ state: "taken-back" }]);
    expect(await root.read(LINK)).toBe("4000\n");
    expect(await root.read(BACKLOG)).toBe("4096\n");
    // The books are as they were before the change, so that a rollback ends where the host began.
    expect((await engine.status()).entries.map(({ key, set }) => [key, set])).toEqual([
      ["demo.backlog", "4096"],
      ["demo.link", "4000"],
    ]);
    await engine.rollback({ host, knobs: [safe, link] });
    expect(await root.read(LINK)).toBe("1500\n");
  });

  it("is not tried again by the same profile, and says so; another profile or a rollback begins anew", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, NINE_THOUSAND));
    await takeBack(host);
    const plan = await engine.plan(applying(host, NINE_THOUSAND));
    const again = await engine.apply(
      applying(host, { ...NINE_THOUSAND, isUp: true, expected: { plan, source: "plan.json" } }),
    );
    expect(entryNamed(again, "demo.link")).toMatchObject({ outcome: "left", wanted: "9000", found: "1500" });
    expect(entryNamed(again, "demo.link").because).toMatch(
      /^taken back on 20.*Z, was not confirmed \(nobody confirmed it in time\); change the profile/,
    );
    expect(exitCodeOf(again)).toBe(3);
    expect(renderStatus(await engine.status())).toMatch(/taken back: demo\.link = 9000 on 20/);
    const other = { workload: { connections: 9000, streams: 7 } };
    expect(entryNamed(await engine.apply(applying(host, { profile: other })), "demo.link").outcome).toBe(
      "changed",
    );
    await takeBack(host);
    await engine.rollback({ host, knobs: [safe, link] });
    const fresh = await engine.apply(applying(host, { profile: other, isUp: true }));
    expect(entryNamed(fresh, "demo.link").outcome).toBe("changed");
  });

  it("waits for a person's word until its deadline; `confirm` keeps it, and without any says so", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    expect(await confirmHost(host)).toMatchObject({ confirmed: [], waiting: [] });
    await engine.apply(applying(host, NINE_THOUSAND));
    const { pending } = await engine.status();
    expect(pending).toMatchObject([{ state: "waiting", keys: ["demo.link"] }]);
    expect(Date.parse(pending[0]?.deadline ?? "")).toBeGreaterThan(Date.now());
    expect(renderStatus(await engine.status())).toContain('"bedplate confirm" keeps it');
    expect(await confirmHost(host)).toMatchObject({ confirmed: [{ keys: ["demo.link"] }] });
    await takeBack(host);
    expect(await root.read(LINK)).toBe("9000\n");
  });

  it("takes along what is written to the same file", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, { ...NINE_THOUSAND, knobs: [safe, link, sharer] }));
    expect((await engine.status()).pending).toMatchObject([{ keys: ["demo.link", "demo.sharer"] }]);
    await takeBack(host);
    expect(await root.read(LINK)).toBe("1500\n");
  });

  it("stays pending while putting it back fails, and the next try succeeds", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, NINE_THOUSAND));
    const broken = new Proxy(host, {
      get: (target, name) =>
        name === "writeKernelFile"
          ? async () => await Promise.reject(new Error("EIO: i/o error"))
          : (Reflect.get(target, name) as unknown),
    });
    const failed = await takeBack(broken);
    expect(exitCodeOf(failed)).toBe(1);
    expect((await engine.status()).pending).toHaveLength(1);
    expect(exitCodeOf(await takeBack(host))).toBe(0);
    expect(await root.read(LINK)).toBe("1500\n");
  });

  it("does not stay pending for a device that is gone: there is nothing to put back", async () => {
    await using root = await demoRoot({ ...SYSTEMD, [LINK]: "1500\n" });
    const unplugged = {
      ...link,
      writes: () => [{ kind: "tool", command: ["up"], undo: ["down"] } as const],
    };
    const { host } = liveTree(root.root, (tool) => ({
      exitCode: tool === "down" ? 1 : 0,
      stdout: "",
      stderr: "",
    }));
    const engine = engineOn(root.root);
    await engine.apply(applying(host, { ...NINE_THOUSAND, knobs: [unplugged] }));
    const putBack = async () =>
      await rollbackUnconfirmed({ host, knobs: [unplugged], hostname: "demo", kernelRelease: null });
    expect(exitCodeOf(await putBack())).toBe(1);
    await root.remove(LINK);
    const report = await putBack();
    expect(exitCodeOf(report)).toBe(0);
    expect(report.entries[0]?.because).toContain("is not there any more");
    expect((await engine.status()).pending).toEqual([]);
  });

  it.each([
    ["without systemd", { [LINK]: "1500\n" }, 0, "systemd does not run here"],
    ["when no timer can be armed", SYSTEMD, 1, "Failed to start transient timer unit"],
  ])("never is written %s, and everything else is", async (_when, tree, exitCode, why) => {
    await using root = await demoRoot(tree);
    const stderr = "Failed to start transient timer unit";
    const { host } = liveTree(root.root, () => ({ exitCode, stdout: "", stderr }));
    const report = await engineOn(root.root).apply(applying(host, { ...NINE_THOUSAND, isUp: true }));
    expect(entryNamed(report, "demo.link")).toMatchObject({ outcome: "left", found: "1500", wanted: "9000" });
    expect(entryNamed(report, "demo.link").because).toContain(why);
    expect(entryNamed(report, "demo.backlog").outcome).toBe("changed");
    expect(await root.read(LINK)).toBe("1500\n");
  });

  it("needs no watching in a captured tree", async () => {
    await using root = await demoRoot({ [LINK]: "1500\n" });
    const engine = engineOn(root.root);
    const report = await engine.apply({ knobs: [safe, link], ...NINE_THOUSAND });
    expect(entryNamed(report, "demo.link").outcome).toBe("changed");
    expect((await engine.status()).pending).toEqual([]);
  });

  it.each([
    ["had none before", "", "late", false],
    ["had one before", ROUTE, "late", true],
    ["has no network yet", "", "early", true],
  ] as const)("asks for the default gateway of a host that %s", async (_which, routes, phase, isAsked) => {
    await using root = await demoRoot({ ...SYSTEMD, "/proc/net/route": routes });
    const { host } = liveTree(root.root);
    const asked: boolean[] = [];
    const confirmation = {
      revert: REVERT,
      whyNotReachable: async (_host: unknown, { gateway }: { readonly gateway: boolean }) => {
        asked.push(gateway);
        return await Promise.resolve(undefined);
      },
    };
    const engine = engineOn(root.root);
    const late = { ...link, phase: "late" as const };
    await engine.apply({
      ...NINE_THOUSAND,
      host,
      knobs: [phase === "early" ? link : late],
      phase,
      confirmation,
    });
    await engine.apply({ ...NINE_THOUSAND, host, knobs: [link], phase: "late", confirmation });
    expect(asked).toEqual([isAsked]);
  });

  it("goes back too when it was itself a putting back", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    const wish = numberKnob("link", 0, {
      canCutOff: true,
      desired: ({ profile }) =>
        profile.workload.usesMemoryMaps
          ? { kind: "set", value: 9000, because: "asked for" }
          : { kind: "leave", because: "not asked for" },
    });
    const asked = { knobs: [wish], profile: { workload: { usesMemoryMaps: true } } };
    await engine.apply(applying(host, { ...asked, isUp: true }));
    await engine.apply(applying(host, { knobs: [wish] }));
    expect(await root.read(LINK)).toBe("1500\n");
    await takeBack(host);
    expect(await root.read(LINK)).toBe("9000\n");
    expect((await engine.status()).entries).toMatchObject([
      { key: "demo.link", set: "9000", original: "1500" },
    ]);
  });
});

describe("kill -9 of an apply that can cut the host off", () => {
  const nine = numberKnob("link", 9000, { canCutOff: true });

  function killAt(root: string, moment: string): void {
    const program = resolve(import.meta.dirname, "killed-apply.ts");
    const { signal } = spawnSync(process.execPath, [program, root, moment], { timeout: 60_000 });
    expect(signal).toBe("SIGKILL");
  }

  it.each([
    ["armed", "1500", false],
    ["journaled", "1500", false],
    ["written", "9000", true],
    ["confirming", "9000", true],
  ])(
    "when %s: the timer puts back what was written, and refuses only what was",
    async (moment, value, wasTried) => {
      await using root = await demoRoot(SYSTEMD);
      killAt(root.root, moment);
      expect(await root.read(LINK)).toBe(`${value}\n`);
      const { host } = liveTree(root.root);
      expect(exitCodeOf(await takeBack(host))).toBe(0);
      expect(await root.read(LINK)).toBe("1500\n");
      const engine = engineOn(root.root);
      expect((await engine.status()).entries).toEqual([]);
      const again = await engine.apply(applying(host, { knobs: [nine], profile: {}, isUp: true }));
      expect(entryNamed(again, "demo.link").outcome).toBe(wasTried ? "left" : "changed");
    },
  );

  it.each(["armed", "journaled", "written", "confirming"])(
    "when %s: an apply before the timer goes on and confirms",
    async (moment) => {
      await using root = await demoRoot(SYSTEMD);
      killAt(root.root, moment);
      const { host, calls } = liveTree(root.root);
      const engine = engineOn(root.root);
      await engine.apply(applying(host, { knobs: [nine], profile: {}, isUp: true }));
      expect(await root.read(LINK)).toBe("9000\n");
      expect((await engine.status()).pending).toEqual([]);
      expect(calls.some((call) => call.startsWith("systemctl stop"))).toBe(true);
      await takeBack(host);
      expect(await root.read(LINK)).toBe("9000\n");
      await engine.rollback({ host, knobs: [nine] });
      expect(await root.read(LINK)).toBe("1500\n");
    },
  );

  it.each(["journaled", "written"])(
    "when %s: a boot takes it back and tries once more, the next does not",
    async (moment) => {
      await using root = await demoRoot(SYSTEMD);
      killAt(root.root, moment);
      const { host } = liveTree(root.root);
      const boot = async (number: number) => {
        await nextBoot(root, number);
        await root.write(LINK, "1500\n");
        const wanted = applying(host, { knobs: [nine], profile: {}, phase: "early" });
        return await engineOn(root.root).apply(wanted);
      };
      const second = await boot(2);
      expect(second.confirmations).toMatchObject([{ state: "taken-back" }, { state: "waiting" }]);
      expect(entryNamed(second, "demo.link").outcome).toBe("changed");
      const third = await boot(3);
      expect(third.confirmations).toMatchObject([{ state: "taken-back" }]);
      expect(entryNamed(third, "demo.link").outcome).toBe("left");
      expect(await root.read(LINK)).toBe("1500\n");
    },
  );

  it("a value that a boot confirmed is no longer under suspicion when a later boot ends early", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const boot = async (number: number, phase: "early" | "late", isUp: boolean) => {
      if (phase === "early") {
        await nextBoot(root, number);
        await root.write(LINK, "1500\n");
      }
      return await engineOn(root.root).apply(applying(host, { knobs: [nine], profile: {}, phase, isUp }));
    };
    for (const number of [2, 3]) await boot(number, "early", false);
    expect(entryNamed(await boot(4, "early", false), "demo.link").outcome).toBe("left");
    await engineOn(root.root).rollback({ host, knobs: [nine] });
    for (const number of [5, 7, 9]) {
      await boot(number, "early", false);
      expect(entryNamed(await boot(number + 1, "early", false), "demo.link").outcome).toBe("changed");
      expect((await boot(number + 1, "late", true)).confirmations).toMatchObject([{ state: "confirmed" }]);
    }
  });
});

describe("a boot that follows an unconfirmed change", () => {
  const file = { ...configKnob, canCutOff: true };

  it("takes files back first of all, the second time for good, while the rest lands", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    const start = treeState(root.root);
    await engine.apply(applying(host, { knobs: [safe, file, link] }));
    const boot = async (number: number) => {
      await nextBoot(root, number);
      await root.write(BACKLOG, "128\n");
      await root.write(LINK, "1500\n");
      return await engine.apply(applying(host, { knobs: [safe, file, link], phase: "early", isUp: true }));
    };
    expect(entryNamed(await boot(2), "demo.config").outcome).toBe("changed");
    expect((await engine.status()).takenBack[0]?.because).toMatch(/tried once more$/);
    const report = await boot(3);
    expect(report.confirmations).toMatchObject([{ state: "taken-back", keys: ["demo.config", "demo.link"] }]);
    expect(entryNamed(report, "demo.config").outcome).toBe("left");
    expect(entryNamed(report, "demo.config").because).toMatch(/boot \w{8} ended before it was confirmed/);
    expect(entryNamed(report, "demo.link").outcome).toBe("left");
    expect(entryNamed(report, "demo.backlog").outcome).toBe("changed");
    await root.write(BACKLOG, "128\n");
    const { "/proc/sys/kernel/random/boot_id": _id, ...after } = treeState(root.root);
    expect(start).toMatchObject(after);
    expect(Object.keys(after)).not.toContain(CONFIG_PATH);
  });

  it("before the network is up nothing is asked, and the late phase confirms", async () => {
    await using root = await demoRoot(SYSTEMD);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    const early = await engine.apply(applying(host, { ...NINE_THOUSAND, phase: "early", isUp: true }));
    expect(early.confirmations).toMatchObject([
      { state: "waiting", because: "the network is not up yet; the late phase confirms" },
    ]);
    expect(calls[0]).toContain("--on-active=420s");
    const late = await engine.apply(applying(host, { ...NINE_THOUSAND, phase: "late", isUp: true }));
    expect(late.confirmations).toMatchObject([{ state: "confirmed", keys: ["demo.link"] }]);
  });
});

describe("a change that takes effect with a reboot", () => {
  const CMDLINE = "/proc/cmdline";
  const FILE = "/etc/default/demo-cmdline";
  /** Boot arguments as a boot loader's file has them and as the kernel got them. */
  const argument = {
    ...configKnob,
    id: "demo.argument",
    canCutOff: true,
    takesEffect: "reboot" as const,
    read: async (host: LiveHost) => (await host.readText(CMDLINE))?.trim() ?? "",
    desired: () => ({ kind: "set" as const, value: "quiet nosmt", because: "asked for" }),
    writes: (value: unknown) => [{ kind: "config-file" as const, path: FILE, text: `${value as string}\n` }],
  };
  const tree = { ...SYSTEMD, [CMDLINE]: "quiet\n" };
  const once = { knobs: [argument], profile: { reboot: "once-when-needed" as const } };

  async function bootInto(root: HostRoot, boot: number): Promise<void> {
    await nextBoot(root, boot);
    await root.write(CMDLINE, await root.read(FILE));
  }

  it("waits without a timer, once, and is confirmed by the boot that has it", async () => {
    await using root = await demoRoot(tree);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    const report = await engine.apply(applying(host, { knobs: [argument], isUp: true }));
    expect(report.confirmations).toMatchObject([{ state: "waiting-for-reboot", deadline: null }]);
    expect(calls).toEqual([]);
    expect(exitCodeOf(report)).toBe(4);
    await engine.apply(applying(host, { knobs: [argument], isUp: true }));
    expect((await engine.status()).pending).toMatchObject([{ state: "waiting-for-reboot" }]);
    expect((await confirmHost(host)).waiting).toHaveLength(1);
    await bootInto(root, 2);
    const early = await engine.apply(applying(host, { knobs: [argument], phase: "early", isUp: true }));
    expect(early.confirmations).toMatchObject([{ state: "waiting" }]);
    expect(calls[0]).toMatch(/^systemd-run .*--unit=bedplate-revert-/);
    const late = await engine.apply(applying(host, { knobs: [argument], phase: "late", isUp: true }));
    expect(late.confirmations).toMatchObject([{ state: "confirmed", keys: ["demo.argument"] }]);
    expect(await root.read(FILE)).toBe("quiet nosmt\n");
  });

  it("is taken back by the boot after one that has it and never confirms", async () => {
    await using root = await demoRoot(tree);
    const { host } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, { knobs: [argument] }));
    await bootInto(root, 2);
    await engine.apply(applying(host, { knobs: [argument], phase: "early" }));
    await nextBoot(root, 3);
    const report = await engine.apply(applying(host, { knobs: [argument], phase: "early" }));
    expect(report.confirmations).toMatchObject([{ state: "taken-back", keys: ["demo.argument"] }]);
    await expect(root.read(FILE)).rejects.toThrow("ENOENT");
    await root.write(CMDLINE, "quiet\n");
    expect(
      entryNamed(await engine.apply(applying(host, { knobs: [argument] })), "demo.argument").outcome,
    ).toBe("left");
  });

  it("reboots once for the same changes, after its books are closed, and fails when the boot was in vain", async () => {
    await using root = await demoRoot(tree);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    const early = await engine.apply(applying(host, { ...once, phase: "early" }));
    expect(early.reboot).toBeUndefined();
    const late = await engine.apply(applying(host, { ...once, phase: "late" }));
    expect(late.reboot).toMatchObject({ isAsked: true });
    expect(calls.at(-1)).toMatch(
      /^systemd-run .*--no-block .*After=bedplate\.service cloud-final\.service .*-- systemctl reboot$/,
    );
    expect((await engine.apply(applying(host, { ...once, phase: "late" }))).reboot).toMatchObject({
      isAsked: false,
    });
    await nextBoot(root, 2);
    const asked = calls.length;
    const vain = await engine.apply(applying(host, { ...once, phase: "early", isUp: true }));
    expect(entryNamed(vain, "demo.argument")).toMatchObject({ outcome: "failed", found: "quiet" });
    expect(entryNamed(vain, "demo.argument").because).toMatch(
      /^Cannot set demo\.argument to "quiet nosmt": the host has rebooted since it was written/,
    );
    expect((await engine.apply(applying(host, { ...once, phase: "late" }))).reboot).toBeUndefined();
    expect(calls.slice(asked).filter((call) => call.endsWith("systemctl reboot"))).toEqual([]);
    await nextBoot(root, 3);
    expect(
      entryNamed(await engine.apply(applying(host, { ...once, phase: "early" })), "demo.argument").outcome,
    ).toBe("failed");
  });

  it("never reboots on its own when the profile does not say so, nor while something is unconfirmed", async () => {
    await using root = await demoRoot(tree);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, { knobs: [argument], isUp: true }));
    expect(calls).toEqual([]);
    const both = { knobs: [argument, link], profile: { ...once.profile, ...NINE_THOUSAND.profile } };
    const report = await engine.apply(applying(host, both));
    expect(report.reboot).toMatchObject({ isAsked: false, because: "not while demo.link is unconfirmed" });
  });

  it("whose boot is cut off is taken back by the timer, which reboots where the profile lets it", async () => {
    await using root = await demoRoot(tree);
    const { host, calls } = liveTree(root.root);
    const engine = engineOn(root.root);
    await engine.apply(applying(host, once));
    await bootInto(root, 2);
    await engine.apply(applying(host, { ...once, phase: "early" }));
    const report = await takeBack(host);
    expect(report.entries).toMatchObject([{ key: "demo.argument", outcome: "changed" }]);
    expect(report.reboot).toMatchObject({ isAsked: true });
    expect(calls.at(-1)).toMatch(/systemctl reboot$/);
    await expect(root.read(FILE)).rejects.toThrow("ENOENT");
  });
});
