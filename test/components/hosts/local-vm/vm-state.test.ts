import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { parse } from "yaml";
import { renderSeed } from "../../../../components/hosts/local-vm/cloud-seed.ts";
import { withExclusiveLock } from "../../../../components/hosts/local-vm/exclusive-lock.ts";
import { describe as describeVm, tearDown } from "../../../../components/hosts/local-vm/local-vm.ts";
import { installLine, missingParts, packagesOf } from "../../../../components/hosts/local-vm/packages.ts";
import { localVmSpecSchema } from "../../../../components/hosts/local-vm/vm-spec.ts";
import { readRecord, type VmRecord, writeRecord } from "../../../../components/hosts/local-vm/vm-store.ts";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "bedplate-state-"));
});

afterEach(() => rm(folder, { recursive: true, force: true }));

const record = (isComplete: boolean): VmRecord => ({
  formatVersion: 1,
  id: "4f1f1a86-6a5d-4f9c-9a1e-0d5f2a7c3b10",
  spec: localVmSpecSchema.parse({ name: "lab", userData: "#cloud-config\n" }),
  sshPort: 40_022,
  servicePort: 40_080,
  accelerator: "tcg",
  rootDiskSha256: "0".repeat(64),
  isComplete,
});

describe("writeRecord()", () => {
  test("gives the record back and leaves no other file", async () => {
    await writeRecord(folder, record(true));
    expect(await readRecord(folder)).toEqual(record(true));
    expect(await readdir(folder)).toEqual(["vm.json"]);
  });
});

describe("readRecord()", () => {
  test.each([
    ["half a file", '{"formatVersion": 1, "id'],
    ["a later version's", '{"formatVersion": 2}'],
  ])("takes %s for none", async (_, text) => {
    await writeFile(join(folder, "vm.json"), text);
    expect(await readRecord(folder)).toBeUndefined();
  });
});

describe("describe()", () => {
  test("tells a VM that is made and stopped", async () => {
    await writeRecord(folder, record(true));
    expect(await describeVm(folder)).toMatchObject({ name: "lab", isRunning: false, sshPort: 40_022 });
  });

  test("knows none that was never complete", async () => {
    await writeRecord(folder, record(false));
    expect(await describeVm(folder)).toBeUndefined();
    expect(await describeVm(join(folder, "nowhere"))).toBeUndefined();
  });
});

describe("tearDown()", () => {
  test("removes what a killed bring-up left, and what is not there without a word", async () => {
    const stateDir = join(folder, "lab");
    await mkdir(join(stateDir, "seed"), { recursive: true });
    await writeFile(join(stateDir, "vm.json"), "{");
    await tearDown(stateDir);
    expect(await readdir(folder)).toEqual([]);
    await tearDown(stateDir);
  });
});

describe("withExclusiveLock()", () => {
  const path = (): string => join(folder, "lock");

  test("lets one in at a time and the next when it ends, also by an error", async () => {
    const order: string[] = [];
    const enter = (name: string) =>
      withExclusiveLock(path(), { waitMillis: 20_000 }, async () => {
        order.push(`${name} in`);
        await new Promise((done) => setTimeout(done, 50));
        order.push(`${name} out`);
        if (name === "a") throw new Error("a fails");
      });
    const results = await Promise.allSettled([enter("a"), enter("b"), enter("c")]);
    expect(results.map((result) => result.status).toSorted()).toEqual(["fulfilled", "fulfilled", "rejected"]);
    for (let index = 0; index < order.length; index += 2) {
      expect(order[index + 1]).toBe(order[index]?.replace("in", "out"));
    }
  });

  test("fails with the path when it stays taken", async () => {
    await withExclusiveLock(path(), { waitMillis: 0 }, async () => {
      await expect(withExclusiveLock(path(), { waitMillis: 0 }, async () => undefined)).rejects.toThrow(
        `Cannot lock ${path()}`,
      );
    });
  });
});

describe("renderSeed()", () => {
  const seed = renderSeed({
    instanceId: "id-1",
    hostname: "lab",
    userData: "#cloud-config\n# as on AWS\n",
    authorizedKey: "ssh-ed25519 AAAA login",
    hostKey: { private: "-----BEGIN-----\nsecret\n-----END-----\n", public: "ssh-ed25519 BBBB host" },
  });

  test("passes the user data on byte for byte", () => {
    expect(seed["user-data"]).toBe("#cloud-config\n# as on AWS\n");
  });

  test("gives the login key in meta-data and the host key in vendor-data", () => {
    expect(parse(seed["meta-data"] ?? "")).toEqual({
      "instance-id": "id-1",
      "local-hostname": "lab",
      "public-keys": ["ssh-ed25519 AAAA login"],
    });
    expect(seed["vendor-data"]).toMatch(/^#cloud-config\n/);
    expect(parse(seed["vendor-data"] ?? "")).toEqual({
      ssh_keys: {
        ed25519_private: "-----BEGIN-----\nsecret\n-----END-----\n",
        ed25519_public: "ssh-ed25519 BBBB host",
      },
    });
  });
});

describe("packages", () => {
  test("packagesOf() names each package once", () => {
    const parts = [
      { program: "ssh", debianPackage: "openssh-client" },
      { program: "ssh-keygen", debianPackage: "openssh-client" },
    ];
    expect(packagesOf(parts)).toEqual(["openssh-client"]);
    expect(installLine(parts, "trixie")).toBe("sudo apt-get install --no-install-recommends openssh-client");
    expect(installLine(parts, undefined)).toContain("ssh-keygen");
  });

  test("missingParts() finds all parts missing where PATH leads nowhere but to its own sbin", async () => {
    const path = process.env["PATH"];
    process.env["PATH"] = folder;
    try {
      expect((await missingParts()).map((part) => part.program)).toContain("qemu-system-x86_64");
    } finally {
      process.env["PATH"] = path;
    }
  });
});
