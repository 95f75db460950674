import { describe, expect, it } from "vitest";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import { readFacts } from "../../../host-tuning/facts/read-facts.ts";
import type { HostProfileInput } from "../../../host-tuning/profile/host-profile.ts";
import type { HostReport, ReportEntry } from "../../../host-tuning/report/host-report.ts";
import { exitCodeOf } from "../../../host-tuning/engine/report-of.ts";
import { factsOfShape } from "../../helpers/facts.ts";
import { type HostRoot, type HostTree, createHostRoot, readTree } from "../../helpers/host-root.ts";
import {
  AMAZON_2023,
  DEBIAN_12,
  FEDORA_SYSTEMD_BOOT,
  RHEL_8,
  RHEL_9,
  SUPPORTED,
} from "../boot-loader/loader-trees.ts";
import { type Engine, type EngineChanges, engineOn } from "../engine/engine.ts";

const BOOT_KNOBS = KNOBS.filter(({ family }) => family === "boot");

/** 8 CPUs, threads n and n+1 of one core: reserved "0-1" leaves 2-7. */
const SHAPE = factsOfShape({ cpus: 8, nodes: 2, threadsPerCore: 2 });

const ISOLATE: EngineChanges["profile"] = {
  preset: "latency",
  cpu: { isolation: "boot", reserved: "0-1" },
};

async function changesFor(host: HostRoot, profile: EngineChanges["profile"]): Promise<EngineChanges> {
  const { bootLoader, kernel } = await readFacts(openHost(host.root));
  return {
    profile: profile ?? {},
    knobs: BOOT_KNOBS,
    facts: { ...SHAPE, bootLoader, kernel: { ...SHAPE.kernel, commandLine: kernel.commandLine } },
  };
}

function entryOf(report: HostReport, knob: string): ReportEntry {
  const entry = report.entries.find((candidate) => candidate.knob === knob);
  if (entry === undefined) throw new Error(`no ${knob} in the report`);
  return entry;
}

function loaderFiles(tree: HostTree): HostTree {
  return Object.fromEntries(Object.entries(tree).filter(([path]) => /^\/(boot|efi|etc)\//.test(path)));
}

/** The words of every file: the order of arguments is no difference. */
function wordsOf(tree: HostTree): Record<string, string[]> {
  return Object.fromEntries(
    Object.entries(tree).map(([path, text]) => [
      path,
      typeof text === "string" ? text.split(/[\s"]+/).toSorted() : [],
    ]),
  );
}

/** What the next boot would do: the kernel gets what the loader's files say, and says so in its own. */
async function reboot(host: HostRoot, boot: string, line: string): Promise<void> {
  await host.write("/proc/cmdline", `${line}\n`);
  await host.write("/proc/sys/kernel/random/boot_id", `${boot}\n`);
  const list = (name: RegExp): string =>
    /[\d,-]+$/.exec(name.exec(line)?.[1] ?? "")?.[0]?.replace(/^,/, "") ?? "";
  await host.write("/sys/devices/system/cpu/isolated", `${list(/isolcpus=(\S+)/)}\n`);
  await host.write("/sys/devices/system/cpu/nohz_full", `${list(/nohz_full=(\S+)/)}\n`);
}

const WANTED = {
  irqaffinity: "0-1",
  isolcpus: "domain,managed_irq,2-7",
  nohz_full: "2-7",
  rcu_nocbs: "2-7",
  skew_tick: "1",
} as const;

const ARGUMENTS = Object.entries(WANTED)
  .map(([name, value]) => `${name}=${value}`)
  .join(" ");

describe.each(SUPPORTED.filter(([name]) => name !== "RHEL 8"))("boot arguments on %s", (_, loader, tree) => {
  async function withEngine<T>(
    body: (host: HostRoot, engine: Engine, changes: EngineChanges) => Promise<T>,
  ): Promise<T> {
    await using host = await createHostRoot({ "/proc/sys/kernel/random/boot_id": "one\n", ...tree });
    return await body(host, engineOn(host.root), await changesFor(host, ISOLATE));
  }

  it("are configured, wait for a reboot without a second write, run after it, and go with a rollback and a reboot", async () => {
    await withEngine(async (host, engine, changes) => {
      const before = loaderFiles(await readTree(host.root));
      const skewTick = (await host.read("/proc/cmdline")).includes("skew_tick");

      const first = await engine.apply(changes);
      expect(exitCodeOf(first)).toBe(4);
      for (const [id, value] of Object.entries(WANTED)) {
        if (id === "skew_tick" && skewTick) continue;
        expect(entryOf(first, id), id).toMatchObject({
          key: `${id}[${loader}]`,
          outcome: "needs-reboot",
          before: "not set",
          wanted: value,
          found: `not set, ${value} after a reboot`,
        });
      }

      const pending = await readTree(host.root);
      const second = await engine.apply(changes);
      expect(exitCodeOf(second)).toBe(4);
      expect(second.counts.changed).toBe(0);
      expect(loaderFiles(await readTree(host.root))).toEqual(loaderFiles(pending));
      expect(exitCodeOf(await engine.verify(changes))).toBe(4);

      await reboot(
        host,
        "two",
        `${await host.read("/proc/cmdline").then((line) => line.trim())} ${ARGUMENTS}`,
      );
      const third = await engine.apply(changes);
      for (const [id, value] of Object.entries(WANTED))
        expect(entryOf(third, id), id).toMatchObject({ outcome: "already-right", found: value });
      expect(exitCodeOf(third)).toBe(0);

      const back = await engine.rollback({ knobs: BOOT_KNOBS });
      expect(exitCodeOf(back)).toBe(4);
      expect(entryOf(back, "isolcpus")).toMatchObject({
        outcome: "needs-reboot",
        found: "domain,managed_irq,2-7, not set after a reboot",
      });
      expect(loaderFiles(await readTree(host.root))).toEqual(before);
    });
  });

  it("take somebody's removal for drift and put it right", async () => {
    await withEngine(async (host, engine, changes) => {
      await engine.apply(changes);
      await reboot(host, "two", `${(await host.read("/proc/cmdline")).trim()} ${ARGUMENTS}`);
      await engine.apply(changes);
      const files = loaderFiles(await readTree(host.root));
      for (const [path, text] of Object.entries(files)) {
        if (typeof text !== "string") continue;
        if (path.endsWith("99-bedplate-nohz-full.cfg")) await host.remove(path);
        else if (text.includes(" nohz_full=2-7"))
          await host.write(path, text.replaceAll(" nohz_full=2-7", ""));
      }
      const verified = await engine.verify(changes);
      expect(entryOf(verified, "nohz_full")).toMatchObject({
        isDrifted: true,
        found: "2-7, not set after a reboot",
      });
      expect(verified.drifted).toBe(1);
      expect(entryOf(await engine.apply(changes), "nohz_full")).toMatchObject({
        outcome: "changed",
        found: "2-7",
      });
      expect(wordsOf(loaderFiles(await readTree(host.root)))).toEqual(wordsOf(files));
    });
  });
});

describe("boot arguments", () => {
  it("are left alone by the default profile, each with a reason", async () => {
    await using host = await createHostRoot(DEBIAN_12);
    const changes = await changesFor(host, {});
    const plan = await engineOn(host.root).plan(changes);
    expect(plan.steps.map(({ action }) => action)).toEqual(BOOT_KNOBS.map(() => "left"));
    for (const step of plan.steps) expect(step.because, step.key).toMatch(/\w{3}/);
  });

  it("say which loader they cannot write for", async () => {
    await using host = await createHostRoot({ ...RHEL_9, "/run/ostree-booted": "" });
    const plan = await engineOn(host.root).plan(await changesFor(host, ISOLATE));
    for (const step of plan.steps) {
      expect(step).toMatchObject({ action: "unsupported", writes: [] });
      expect(step.because).toMatch(/rpm-ostree/);
    }
  });

  it("need no reboot when the same CPUs and flags stand in another order (NTO #355, #1197)", async () => {
    const args =
      "quiet nohz_full=7,2-6 isolcpus=managed_irq,domain,7,2-3,4-6 irqaffinity=1,0 rcu-nocbs=2-7 skew_tick=1";
    const tree = Object.fromEntries(
      Object.entries(DEBIAN_12).map(([path, text]) => [
        path,
        typeof text === "string" && /cmdline|grub\.cfg/.test(path) ? text.replaceAll("quiet", args) : text,
      ]),
    );
    await using host = await createHostRoot({
      ...tree,
      "/sys/devices/system/cpu/isolated": "2-7\n",
      "/sys/devices/system/cpu/nohz_full": "2-7\n",
    });
    const before = await readTree(host.root);
    const changes = await changesFor(host, ISOLATE);
    const plan = await engineOn(host.root).plan(changes);
    for (const id of Object.keys(WANTED))
      expect(
        plan.steps.find(({ knob }) => knob === id),
        id,
      ).toMatchObject({ action: "already-right" });
    expect(await readTree(host.root)).toEqual(before);
  });

  it("roll back one and leave the other in force, in files that both share", async () => {
    await using host = await createHostRoot({ "/proc/sys/kernel/random/boot_id": "one\n", ...RHEL_9 });
    const engine = engineOn(host.root);
    const changes = await changesFor(host, ISOLATE);
    const [nohzFull, ...others] = BOOT_KNOBS.toSorted(
      (a, b) => Number(b.id === "nohz_full") - Number(a.id === "nohz_full"),
    );
    await engine.apply({ ...changes, knobs: others });
    const withoutIt = loaderFiles(await readTree(host.root));
    await engine.apply({ ...changes, knobs: nohzFull === undefined ? [] : [nohzFull] });
    expect(loaderFiles(await readTree(host.root))).not.toEqual(withoutIt);
    const override = { nohz_full: { value: "not set", because: "no longer" } };
    await engine.apply({ ...changes, profile: { ...ISOLATE, overrides: override } });
    expect(loaderFiles(await readTree(host.root))).toEqual(withoutIt);
  });

  it("reach an entry that a new kernel has brought since, and leave it as clean as the others", async () => {
    await using host = await createHostRoot(AMAZON_2023);
    const engine = engineOn(host.root);
    await engine.apply(await changesFor(host, ISOLATE));
    const [path = ""] = Object.keys(AMAZON_2023).filter((name) => name.includes("/entries/"));
    const newer = path.replace("6.1.155", "6.1.158");
    await host.write(newer, await host.read(path));
    await engine.rollback({ knobs: BOOT_KNOBS });
    expect(await host.read(newer)).toBe(AMAZON_2023[path]);
  });

  it("never touch the rescue entry", async () => {
    await using host = await createHostRoot(RHEL_9);
    await engineOn(host.root).apply(await changesFor(host, ISOLATE));
    const [rescue = ""] = Object.keys(RHEL_9).filter((name) => name.includes("rescue"));
    expect(await host.read(rescue)).toBe(RHEL_9[rescue]);
    expect(await host.read("/etc/default/grub")).toContain("rd.lvm.lv=rhel/swap irqaffinity=0-1 isolcpus=");
  });

  it("fail by name where grubenv holds the argument too, and the kernel would take that one", async () => {
    await using host = await createHostRoot(RHEL_8);
    const report = await engineOn(host.root).apply(await changesFor(host, ISOLATE));
    expect(entryOf(report, "isolcpus")).toMatchObject({ outcome: "failed" });
    expect(entryOf(report, "isolcpus").because).toMatch(/something else sets it/);
    expect(entryOf(report, "nohz_full")).toMatchObject({ outcome: "needs-reboot" });
  });

  it("are failed, and no reboot is promised, when the kernel has one and did not take it", async () => {
    await using host = await createHostRoot({
      "/proc/sys/kernel/random/boot_id": "one\n",
      ...FEDORA_SYSTEMD_BOOT,
    });
    const engine = engineOn(host.root);
    const changes = await changesFor(host, ISOLATE);
    await engine.apply(changes);
    await reboot(host, "two", `${(await host.read("/proc/cmdline")).trim()} ${ARGUMENTS}`);
    await host.write("/sys/devices/system/cpu/isolated", "\n");
    const entry = entryOf(await engine.apply(changes), "isolcpus");
    expect(entry.outcome).toBe("failed");
    expect(entry.found).toBe(
      'domain,managed_irq,2-7 (not in force: /sys/devices/system/cpu/isolated has "")',
    );
    expect(entry.because).toMatch(/another reboot would not help/);
  });

  it("replace a value of somebody else's in place and give it back byte for byte", async () => {
    const tree = Object.fromEntries(
      Object.entries(FEDORA_SYSTEMD_BOOT).map(([path, text]) => [
        path,
        typeof text === "string" ? text.replaceAll("rhgb quiet", "isolcpus=5 rhgb  quiet") : text,
      ]),
    );
    await using host = await createHostRoot(tree);
    const engine = engineOn(host.root);
    const before = loaderFiles(await readTree(host.root));
    await engine.apply(await changesFor(host, ISOLATE));
    expect(await host.read("/etc/kernel/cmdline")).toMatch(
      /^root=UUID=1111-2222 rootflags=subvol=root isolcpus=domain,managed_irq,2-7 rhgb {2}quiet irqaffinity=0-1 /,
    );
    await engine.rollback({ knobs: BOOT_KNOBS });
    expect(loaderFiles(await readTree(host.root))).toEqual(before);
  });
});

describe("which CPUs boot arguments isolate", () => {
  type Profile = Omit<HostProfileInput, "apiVersion" | "kind">;

  async function isolcpusOf(
    facts: typeof SHAPE,
    profile: Profile,
  ): Promise<{ action: string; afterText: string; because: string }> {
    await using host = await createHostRoot(DEBIAN_12);
    const { bootLoader } = await readFacts(openHost(host.root));
    const plan = await engineOn(host.root).plan({
      knobs: BOOT_KNOBS,
      profile,
      facts: { ...facts, bootLoader },
    });
    const step = plan.steps.find(({ knob }) => knob === "isolcpus");
    if (step === undefined) throw new Error("no isolcpus in the plan");
    return step;
  }

  it("keeps the core that boots the kernel by default, both threads of it", async () => {
    expect(await isolcpusOf(SHAPE, { cpu: { isolation: "boot" } })).toMatchObject({
      action: "set",
      afterText: "managed_irq,2-7",
    });
  });

  it("leaves balancing on unless the preset is latency", async () => {
    expect((await isolcpusOf(SHAPE, ISOLATE ?? {})).afterText).toBe("domain,managed_irq,2-7");
    const balanced = await isolcpusOf(SHAPE, { cpu: { isolation: "boot", reserved: "0-1" } });
    expect(balanced.afterText).toBe("managed_irq,2-7");
    expect(balanced.because).toMatch(/share one CPU/);
  });

  it.each<[what: string, reserved: string, because: RegExp]>([
    ["a core split between both (openshift-docs #58610)", "0-2", /CPUs 2 and 3 are threads of one core/],
    ["the boot CPU isolated", "2-3", /CPU 0 boots the kernel/],
    ["nothing left", "0-7", /leaves no CPU/],
    ["a CPU that is not there", "0-1,64", /CPUs 64 of cpu.reserved are not online/],
  ])("refuses %s", async (_, reserved, because) => {
    const step = await isolcpusOf(SHAPE, { cpu: { isolation: "boot", reserved } });
    expect(step.action).toBe("left");
    expect(step.because).toMatch(because);
  });

  it("names CPUs above 256 by number and not by a mask (openshift-docs #88720)", async () => {
    const large = factsOfShape({ cpus: 768, nodes: 8, threadsPerCore: 2 });
    const step = await isolcpusOf(large, { cpu: { isolation: "boot", reserved: "0-1,256-257,766-767" } });
    expect(step.afterText).toBe("managed_irq,2-255,258-765");
  });

  it("refuses a list that the command line has no room for, before the kernel cuts it off", async () => {
    const large = factsOfShape({ cpus: 2048, nodes: 8, threadsPerCore: 2 });
    const reserved = Array.from({ length: 512 }, (_, index) => `${index * 4}-${index * 4 + 1}`).join(",");
    const step = await isolcpusOf(large, { cpu: { isolation: "boot", reserved } });
    expect(step.action).toBe("left");
    expect(step.because).toMatch(/the command line would have \d{4} bytes, and the kernel takes 2047/);
  });
});
