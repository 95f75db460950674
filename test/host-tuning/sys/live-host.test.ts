import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";
import { RootedPaths } from "../../../host-tuning/sys/rooted-paths.ts";
import { runTool } from "../../../host-tuning/sys/tool.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

/** A folder with a secret beside the root, where every escape would lead. */
let outer: string;
let root: string;
let host: LiveHost;

beforeAll(async () => {
  outer = await mkdtemp(join(tmpdir(), "bedplate-escape-"));
  root = join(outer, "root");
  mkdirSync(join(root, "sys/class/net"), { recursive: true });
  mkdirSync(join(root, "sys/devices/pci0/net/eth0"), { recursive: true });
  mkdirSync(join(root, "etc"));
  writeFileSync(join(outer, "secret"), "outside\n");
  writeFileSync(join(root, "secret"), "inside\n");
  writeFileSync(join(root, "sys/devices/pci0/net/eth0/mtu"), "1500\n");
  symlinkSync("../../devices/pci0/net/eth0", join(root, "sys/class/net/eth0"));
  symlinkSync("/sys/devices/pci0/net/eth0", join(root, "sys/class/net/absolute"));
  symlinkSync(join(outer, "secret"), join(root, "etc/direct"));
  symlinkSync("../../../../../../../../../../secret", join(root, "etc/climbing"));
  symlinkSync(outer, join(root, "etc/folder"));
  symlinkSync("../..", join(root, "etc/up"));
  symlinkSync("loop", join(root, "etc/loop"));
  host = openHost(root);
});

afterAll(() => {
  rmSync(outer, { recursive: true });
});

describe("openHost() below a root", () => {
  it("follows relative and absolute links as the host itself would", async () => {
    expect(await host.readText("/sys/class/net/eth0/mtu")).toBe("1500\n");
    expect(await host.readText("/sys/class/net/absolute/mtu")).toBe("1500\n");
    expect(await host.realPath("/sys/class/net/absolute")).toBe("/sys/devices/pci0/net/eth0");
    expect(host.isLive).toBe(false);
  });

  it.each([
    ["/etc/climbing", "inside\n"],
    ["/../../secret", "inside\n"],
    ["/etc/up/secret", "inside\n"],
    ["/sys/class/net/eth0/../../../../../../../secret", "inside\n"],
    ["/etc/direct", undefined],
    ["/etc/folder/secret", undefined],
  ])("never reads outside the root: %s", async (path, expected) => {
    expect(await host.readText(path)).toBe(expected);
  });

  it("never writes outside the root, by link or by name", async () => {
    for (const path of ["/etc/direct", "/etc/folder/secret", "/etc/climbing", "/../../secret"]) {
      await host.writeKernelFile(path, "owned\n").catch(() => undefined);
      await host.writeConfigFile(path, "owned\n").catch(() => undefined);
      await host.writeConfigFile(path, undefined).catch(() => undefined);
    }
    expect(readFileSync(join(outer, "secret"), "utf8")).toBe("outside\n");
    writeFileSync(join(root, "secret"), "inside\n");
  });

  it("fails on a circle of links, a NUL and a path that is not absolute", async () => {
    await expect(host.readText("/etc/loop")).rejects.toMatchObject({ code: "HOST_READ" });
    await expect(host.readText("/etc/x\0y")).rejects.toThrow("not an absolute path");
    await expect(host.readText("etc/hostname")).rejects.toThrow("not an absolute path");
  });

  it("keeps any path of any shape below the root", () => {
    const paths = new RootedPaths(root);
    const part = fc.constantFrom(
      "..",
      ".",
      "",
      "etc",
      "up",
      "climbing",
      "folder",
      "direct",
      "sys",
      "class",
      "net",
      "eth0",
      "absolute",
      "x",
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const resolved = paths.onMachine(`/${parts.join("/")}`);
        expect(resolved === root || resolved.startsWith(`${root}/`)).toBe(true);
        expect(resolved.split("/")).not.toContain("..");
      }),
    );
  });

  it("gives nothing for what does not exist", async () => {
    expect(await host.readText("/nope/at/all")).toBeUndefined();
    expect(await host.readText("/secret/below")).toBeUndefined();
    expect(await host.list("/nope")).toEqual([]);
    expect(await host.exists("/etc")).toBe(true);
    expect(await host.realPath("/nope")).toBeUndefined();
    expect(await host.list("/sys/class/net")).toEqual(["absolute", "eth0"]);
  });

  it("fails on a folder and on a named pipe instead of waiting for it", async () => {
    execFileSync("mkfifo", [join(root, "etc/pipe")]);
    await expect(host.readText("/etc/pipe")).rejects.toThrow("not a regular file");
    await expect(host.readText("/etc")).rejects.toMatchObject({ code: "HOST_READ", path: "/etc" });
  });

  it("runs no tool for a host that is not this machine", async () => {
    expect(await host.runTool("true", [])).toBeUndefined();
  });
});

describe("writeKernelFile()", () => {
  it("never creates a file", async () => {
    await using tree = await createHostRoot({ "/sys/a": "1\n" });
    const live = openHost(tree.root);
    await expect(live.writeKernelFile("/sys/b", "2\n")).rejects.toMatchObject({ code: "HOST_WRITE" });
    await expect(live.writeKernelFile("/sys/b", "2\n")).rejects.toThrow('Cannot write "2" to /sys/b: ENOENT');
    expect(await live.exists("/sys/b")).toBe(false);
    await live.writeKernelFile("/sys/a", "2\n");
    expect(await tree.read("/sys/a")).toBe("2\n");
  });

  it("passes the kernel's refusal on with its code", async () => {
    // A file of this machine's kernel that no one may write: writing it changes nothing anywhere.
    await expect(openHost("/").writeKernelFile("/proc/version", "1\n")).rejects.toThrow(
      /EACCES|EPERM|EIO|EROFS/,
    );
  });
});

describe("writeConfigFile()", () => {
  it("creates folders and file, replaces it whole with its rights kept, and removes it", async () => {
    await using tree = await createHostRoot({ "/etc/x": "" });
    const live = openHost(tree.root);
    const path = "/etc/systemd/system/a.service.d/10.conf";
    expect(live.missingFolders(path)).toEqual([
      "/etc/systemd",
      "/etc/systemd/system",
      "/etc/systemd/system/a.service.d",
    ]);
    await live.writeConfigFile(path, "one\n");
    const { ino } = statSync(join(tree.root, path));
    await live.writeConfigFile(path, "two\n");
    expect(await tree.read(path)).toBe("two\n");
    expect(statSync(join(tree.root, path)).ino).not.toBe(ino);
    expect(live.missingFolders(path)).toEqual([]);
    expect(await live.list("/etc/systemd/system/a.service.d")).toEqual(["10.conf"]);
    await live.writeConfigFile(path, undefined);
    await live.writeConfigFile(path, undefined);
    expect(await live.exists(path)).toBe(false);
  });

  it("overwrites what a killed run left, and does not follow a link that lies in wait there", async () => {
    await using tree = await createHostRoot({
      "/etc/a": "1\n",
      "/etc/.a.bedplate-new": { link: "victim" },
      "/etc/victim": "safe\n",
    });
    await openHost(tree.root).writeConfigFile("/etc/a", "2\n");
    expect(await tree.read("/etc/a")).toBe("2\n");
    expect(await tree.read("/etc/victim")).toBe("safe\n");
  });
});

describe("runTool()", () => {
  it("passes arguments as they are, without a shell", async () => {
    const said = await runTool("printf", ["%s|", "a b", "$(id)", ";", "*"]);
    expect(said).toEqual({ exitCode: 0, stdout: "a b|$(id)|;|*|", stderr: "" });
  });

  it("gives a non-zero exit back, nothing for a tool that is not installed, 124 after its time", async () => {
    expect(await runTool("false", [])).toMatchObject({ exitCode: 1 });
    expect(await runTool("bedplate-no-such-tool", [])).toBeUndefined();
    expect(await runTool("sleep", ["30"], 50)).toMatchObject({ exitCode: 124 });
  });

  it("runs in English with a PATH of its own", async () => {
    const said = await runTool("env", []);
    expect(said?.stdout.trim().split("\n").toSorted()).toEqual([
      "LANG=C",
      "LC_ALL=C",
      "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ]);
  });
});
