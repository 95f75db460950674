import { describe, expect, test } from "vitest";
import { readInitSystem } from "../../../host-tuning/facts/distribution.ts";
import { parseOsRelease } from "../../../host-tuning/facts/distribution.ts";
import { factsOf, readingOf } from "./facts-of.ts";

describe("readKernel()", () => {
  test("reads who the host is", async () => {
    const facts = await factsOf({
      "/proc/sys/kernel/hostname": "rack7\n",
      "/proc/sys/kernel/osrelease": "6.12.1-amd64\n",
      "/proc/cmdline": "ro quiet\n",
      "/proc/version": "Linux version 5.0 (x)\n",
    });
    expect(facts.hostname).toBe("rack7");
    expect(facts.kernel).toMatchObject({ release: "6.12.1-amd64", commandLine: "ro quiet" });
  });

  test("takes the release from /proc/version where there is no other, and nothing from nothing", async () => {
    expect((await factsOf({ "/proc/version": "Linux version 6.1.0-13-amd64 (x)\n" })).kernel.release).toBe(
      "6.1.0-13-amd64",
    );
    expect((await factsOf({})).kernel.release).toBeNull();
  });

  test("takes control characters out of text that people will see", async () => {
    const facts = await factsOf({ "/proc/cmdline": "ro \u001b[31mquiet\n" });
    expect(facts.kernel.commandLine).toBe("ro  [31mquiet");
  });
});

describe("readArchitecture()", () => {
  test.each([
    [{ "/proc/sys/kernel/arch": "aarch64\n" }, "aarch64"],
    [{ "/proc/cpuinfo": "processor : 0\nflags : fpu tsc lm\n" }, "x86_64"],
    [{ "/proc/cpuinfo": "processor : 0\nflags : fpu tsc\n" }, "i686"],
    [{ "/proc/cpuinfo": "processor : 0\nCPU architecture: 8\n" }, "aarch64"],
    [{ "/proc/cpuinfo": "processor : 0\nCPU architecture: 7\n" }, "armv7l"],
    [{ "/proc/sys/kernel/arch": "../../etc\n" }, "unknown"],
  ])("%j is %s", async (tree, expected) => {
    expect((await factsOf(tree)).architecture).toBe(expected);
  });

  test("says so when it does not know", async () => {
    expect((await factsOf({})).unreadable.map(({ path }) => path)).toContain("/proc/sys/kernel/arch");
  });
});

describe("readPageBytes()", () => {
  const ARM = { "/proc/sys/kernel/arch": "aarch64\n" };
  const PMD = "/sys/kernel/mm/transparent_hugepage/hpage_pmd_size";
  test.each([
    [{ "/proc/sys/kernel/arch": "x86_64\n" }, 4096],
    [{ ...ARM, [PMD]: "2097152\n" }, 4096],
    [{ ...ARM, [PMD]: "33554432\n" }, 16_384],
    [{ ...ARM, [PMD]: "536870912\n" }, 65_536],
    [{ ...ARM, "/proc/meminfo": "MemTotal: 1 kB\nHugepagesize:   524288 kB\n" }, 65_536],
  ])("%j has pages of %i bytes", async (tree, expected) => {
    const facts = await factsOf(tree);
    expect(facts.kernel.pageBytes).toBe(expected);
    expect(facts.unreadable.map(({ path }) => path)).not.toContain(PMD);
  });

  test("says so where nothing tells", async () => {
    const facts = await factsOf({ ...ARM, [PMD]: "123\n" });
    expect(facts.unreadable).toContainEqual({
      path: PMD,
      because: "Does not tell the page size: 4096 bytes taken",
    });
  });
});

describe("readDistribution()", () => {
  test("reads quotes, escapes and comments", () => {
    const values = parseOsRelease(
      '# a comment\nID=debian\nPRETTY_NAME="A \\"fine\\" \\$ystem"\nVERSION_ID=\'12\'\n  ID_LIKE="rhel fedora"  \nnot a line\n',
    );
    expect(Object.fromEntries(values)).toEqual({
      ID: "debian",
      PRETTY_NAME: 'A "fine" $ystem',
      VERSION_ID: "12",
      ID_LIKE: "rhel fedora",
    });
  });

  test("takes /usr/lib/os-release where /etc has none, and ID's own default", async () => {
    const { distribution } = await factsOf({ "/usr/lib/os-release": "ID_LIKE=rhel fedora\n" });
    expect(distribution).toEqual({
      id: "linux",
      idLike: ["rhel", "fedora"],
      versionId: null,
      prettyName: null,
    });
    expect((await factsOf({})).distribution).toBeNull();
  });
});

describe("readInitSystem()", () => {
  test.each([
    [{ "/run/systemd/system/x": "" }, "systemd"],
    [{ "/sbin/init": { link: "../lib/systemd/systemd" }, "/lib/systemd/systemd": "" }, "systemd"],
    [{ "/sbin/init": "" }, "other"],
    [{}, "other"],
  ])("%j is %s", async (tree, expected) => {
    expect((await readingOf(tree, readInitSystem)).value).toBe(expected);
  });
});
