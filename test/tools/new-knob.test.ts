import { execFileSync, spawnSync } from "node:child_process";
import { cp, mkdtemp, readFile, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportNameOf, fileStemOf, register } from "../../tools/new-knob.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");

const REGISTRY = `import type { AnyKnob } from "./knob.ts";
import { netCoreSomaxconn } from "./net-core-somaxconn.ts";
import { vmSwappiness } from "./vm-swappiness.ts";

export const KNOBS: readonly AnyKnob[] = [
  // net
  netCoreSomaxconn,
  // vm
  vmSwappiness,
];
`;

describe("register()", () => {
  it("puts the import by file and the line by id, between others", () => {
    const text = register(REGISTRY, "net.core.rmem_max", ["net.core.somaxconn"]);
    expect(text).toContain(
      '"./knob.ts";\nimport { netCoreRmemMax } from "./net-core-rmem-max.ts";\nimport { netCoreSomaxconn }',
    );
    expect(text).toContain("  // net\n  netCoreRmemMax,\n  netCoreSomaxconn,\n");
  });

  it("puts the last of a family at its end", () => {
    const text = register(REGISTRY, "vm.zone_reclaim_mode", ["vm.swappiness"]);
    expect(text).toContain(
      '"./vm-swappiness.ts";\nimport { vmZoneReclaimMode } from "./vm-zone-reclaim-mode.ts";\n',
    );
    expect(text).toContain("  vmSwappiness,\n  vmZoneReclaimMode,\n];");
  });
});

describe("names", () => {
  it("follow the kernel's", () => {
    expect(fileStemOf("net.ipv4.tcp_max_syn_backlog")).toBe("net-ipv4-tcp-max-syn-backlog");
    expect(exportNameOf("net.ipv4.tcp_max_syn_backlog")).toBe("netIpv4TcpMaxSynBacklog");
  });
});

describe("npm run new:knob", () => {
  let copy: string;

  beforeAll(async () => {
    copy = await mkdtemp(join(tmpdir(), "bedplate-new-knob-"));
    const parts = [
      "host-tuning",
      "tools/new-knob.ts",
      "test/host-tuning/knobs",
      "package.json",
      ".oxfmtrc.json",
    ];
    for (const part of parts) {
      await cp(join(REPOSITORY, part), join(copy, part), { recursive: true });
    }
    await symlink(join(REPOSITORY, "node_modules"), join(copy, "node_modules"));
  });

  afterAll(async () => {
    await rm(copy, { recursive: true, force: true });
  });

  const scaffold = (...args: string[]) =>
    spawnSync(process.execPath, ["tools/new-knob.ts", ...args], {
      cwd: copy,
      encoding: "utf8",
      timeout: 60_000,
    });

  it("writes knob, test and registry lines that load, in the registry's order and format", async () => {
    const run = scaffold("vm.user_reserve_kbytes", "--title", "Memory kept for the user", "--unit", "KiB");
    expect(run.stderr).toBe("");
    expect(run.status).toBe(0);
    const script = `import { KNOBS } from "./host-tuning/knobs/index.ts";
      process.stdout.write(KNOBS.filter((knob) => knob.family === "vm").map((knob) => knob.id).join(" "));`;
    const ids = execFileSync(process.execPath, ["--input-type=module", "-e", script], {
      cwd: copy,
      encoding: "utf8",
      timeout: 60_000,
    }).split(" ");
    expect(ids).toContain("vm.user_reserve_kbytes");
    expect(ids).toEqual(ids.toSorted());
    const files = [
      "host-tuning/knobs/vm-user-reserve-kbytes.ts",
      "test/host-tuning/knobs/vm-user-reserve-kbytes.test.ts",
      "host-tuning/knobs/index.ts",
    ];
    const format = join(REPOSITORY, "node_modules/.bin/oxfmt");
    const check = spawnSync(process.execPath, [format, "--check", ...files], { cwd: copy, timeout: 60_000 });
    expect(check.status).toBe(0);
    expect(await readFile(join(copy, files[0] ?? ""), "utf8")).toContain('title: "Memory kept for the user"');
  });

  it.each([
    ["net.core.somaxconn", "net.core.somaxconn is a knob already"],
    ["../../etc/passwd", 'found "../../etc/passwd"'],
    ["vm.no_such_thing", "this kernel has no /proc/sys/vm/no_such_thing to look at"],
    ["kernel.ostype", "the scaffold is for whole numbers"],
  ])("fails on %s and writes nothing", async (id, message) => {
    const before = await readFile(join(copy, "host-tuning/knobs/index.ts"), "utf8");
    const run = scaffold(id);
    expect(run.status).toBe(2);
    expect(run.stderr).toContain(message);
    expect(await readFile(join(copy, "host-tuning/knobs/index.ts"), "utf8")).toBe(before);
  });
});
