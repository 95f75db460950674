import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  findQemus,
  isAlive,
  killProcess,
  parseStartTicks,
} from "../../../../components/hosts/local-vm/process-identity.ts";

const MARKER = "if=none,id=seed,driver=vvfat,dir=/nowhere/bedplate-test/seed";

let folder: string;
let children: ChildProcess[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bedplate-process-"));
  children = [];
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** A real process whose program's file has the given name. */
async function start(name: string, marker: string): Promise<number> {
  const path = join(folder, name);
  await copyFile(process.execPath, path);
  const child = spawn(path, ["-e", "console.log('up'); setInterval(() => {}, 1e6)", "--", marker], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  await once(child.stdout, "data");
  return child.pid ?? 0;
}

describe("findQemus()", () => {
  test("finds the process with the VM's argument and no other", async () => {
    const pid = await start("qemu-system-x86_64", MARKER);
    await start("qemu-system-i386", `${MARKER}-of-another-vm`);
    await start("not-a-vm", MARKER);
    expect((await findQemus(MARKER)).map((found) => found.pid)).toEqual([pid]);
  });
});

describe("killProcess()", () => {
  test("ends the process and waits until it is gone", async () => {
    await start("qemu-system-x86_64", MARKER);
    const [found] = await findQemus(MARKER);
    if (found === undefined) throw new Error("not found");
    await killProcess(found);
    expect(await isAlive(found)).toBe(false);
  });

  test("never ends a process that got the number later", async () => {
    const pid = await start("qemu-system-x86_64", MARKER);
    const earlier = { pid, startTicks: "1" };
    await killProcess(earlier);
    expect(await findQemus(MARKER)).toHaveLength(1);
    expect(await isAlive(earlier)).toBe(false);
  });
});

describe("parseStartTicks()", () => {
  test("is not misled by blanks and parentheses in the program's name", async () => {
    const own = await readFile("/proc/self/stat", "utf8");
    const renamed = own.replace(/\(.*\)/, "(a) R 1 2 (b)");
    expect(parseStartTicks(own)).toMatch(/^\d+$/);
    expect(parseStartTicks(renamed)).toBe(parseStartTicks(own));
  });

  test("takes a zombie for gone", () => {
    expect(parseStartTicks("7 (qemu) Z 1 7 7 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 4242 0 0")).toBeUndefined();
  });
});
