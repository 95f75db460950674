import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findPulumiCli, getPulumiCli } from "../../../tools/pulumi/get-cli.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-get-cli-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

/** A program that answers like the named one; only Node itself is real here. */
function putProgram(name: string, script: string): void {
  const bin = path.join(folder, "bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(path.join(bin, name), `#!/bin/sh\n${script}\n`);
  chmodSync(path.join(bin, name), 0o755);
  vi.stubEnv("PATH", `${bin}:/bin`);
}

const cacheFolder = () => path.join(folder, "cache");

describe("findPulumiCli()", () => {
  test("takes the one on PATH first", async () => {
    putProgram("pulumi", "echo v3.270.0");
    expect(await findPulumiCli({ cacheFolder: cacheFolder() })).toMatchObject({
      how: "path",
      root: undefined,
      version: "3.270.0",
    });
  });

  test("fails with what was tried where nothing is there, and makes nothing", async () => {
    putProgram("go", "exit 1");
    const found = await findPulumiCli({ cacheFolder: cacheFolder() });
    expect(found).toMatchObject({ missing: "the Pulumi command line" });
    expect("tried" in found ? found.tried : []).toEqual([expect.stringMatching(/^PATH: /)]);
  });

  test("finds an earlier download where PulumiCommand.get({root}) looks for it", async () => {
    putProgram("go", "exit 1");
    const bin = path.join(cacheFolder(), "download/bin");
    mkdirSync(bin, { recursive: true });
    writeFileSync(path.join(bin, "pulumi"), "#!/bin/sh\necho v3.270.0\n");
    chmodSync(path.join(bin, "pulumi"), 0o755);
    expect(await findPulumiCli({ cacheFolder: cacheFolder() })).toMatchObject({
      how: "cache",
      root: path.join(cacheFolder(), "download"),
    });
  });
});

describe("getPulumiCli()", () => {
  test("builds with the pinned modules, and finds the build again", async () => {
    putProgram(
      "go",
      [
        'if [ "$1" = env ]; then echo go1.26.8; exit; fi',
        'echo "$@" >"$(dirname "$0")/arguments"; pwd >"$(dirname "$0")/folder"',
        'while [ "$1" != -o ]; do shift; done',
        String.raw`printf '#!/bin/sh\necho v3.259.0\n' >"$2" && chmod 755 "$2"`,
      ].join("\n"),
    );
    const heard: string[] = [];
    const args = {
      cacheFolder: cacheFolder(),
      progress: (message: string) => void heard.push(message),
      downloads: false,
    };
    expect(await getPulumiCli(args)).toMatchObject({ how: "build", version: "3.259.0" });
    expect(heard).toEqual([expect.stringMatching(/^building the Pulumi command line with Go: \d+ s$/)]);
    expect(await findPulumiCli(args)).toMatchObject({ how: "cache", version: "3.259.0" });
    putProgram("go", "exit 1");
    expect(await findPulumiCli(args)).toMatchObject({ how: "cache", version: "3.259.0" });
  });

  test("fails with every way that was tried and why it did not do", async () => {
    putProgram("go", 'if [ "$1" = env ]; then echo go1.26.8; exit; fi; echo "module not found" >&2; exit 1');
    const missing = await getPulumiCli({ cacheFolder: cacheFolder(), downloads: false });
    expect("tried" in missing ? missing.tried : []).toEqual([
      expect.stringMatching(/^PATH: /),
      "download: not wanted",
      "build with go1.26.8: module not found",
    ]);
  });
});
