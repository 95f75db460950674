import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  TARGET_ALIAS,
  describeTarget,
  renderKnownHosts,
  renderSshConfig,
  sshTargetSchema,
} from "../../../../components/hosts/ssh/ssh-target.ts";
import { describeWith, program } from "../../../helpers/needs.ts";

const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPsBjxTEGRzTnDH6oApDsdPTEMVoMRbnNqHfCNFnYpG8";
const OTHER_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGFvjPkEKDVK3jLBXPe5JTgMhUMsLIJqfOBkAjrIhXlj";

const target = (fields: object = {}) =>
  sshTargetSchema.parse({ address: "10.0.0.7", hostKey: HOST_KEY, ...fields });
const isRight = (fields: object): boolean =>
  sshTargetSchema.safeParse({ address: "10.0.0.7", hostKey: HOST_KEY, ...fields }).success;

describe("sshTargetSchema", () => {
  it("has ssh's own defaults, and takes a key's comment off", () => {
    expect(target({ hostKey: `${HOST_KEY} root@web-1` })).toEqual({
      address: "10.0.0.7",
      port: 22,
      user: "root",
      hostKey: HOST_KEY,
      sudo: false,
    });
  });

  it.each(["web-1.example.com", "10.0.0.7", "fd00::7", "fe80::1%eth0"])("takes the address %s", (address) => {
    expect(isRight({ address })).toBe(true);
  });

  it.each(["-oProxyCommand=id", "root@10.0.0.7", "10.0.0.7:22", "[fd00::7]", "a b", "a\nHost *", "", "web-"])(
    "fails the address %j, which is an option, another field or no address",
    (address) => {
      expect(isRight({ address })).toBe(false);
    },
  );

  it.each([
    "ssh-ed25519",
    "ssh-ed25519 AAAA",
    // Right in its form, but the bytes say another algorithm than the name before them.
    `ssh-rsa ${HOST_KEY.split(" ")[1]}`,
    "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU",
    `${HOST_KEY}\n* ${OTHER_KEY}`,
    "-----BEGIN OPENSSH PRIVATE KEY-----",
  ])("fails the host key %j", (hostKey) => {
    expect(isRight({ hostKey })).toBe(false);
  });

  it.each(["id_ed25519", '/keys/a"b', "/keys/a\nProxyCommand id", "~root/.ssh/id"])(
    "fails the identity file %j",
    (identityFile) => {
      expect(isRight({ identityFile })).toBe(false);
    },
  );
});

describe("describeTarget()", () => {
  it("writes a host as people do", () => {
    expect(describeTarget(target())).toBe("root@10.0.0.7");
    expect(describeTarget(target({ address: "fd00::7", port: 2222, user: "ops" }))).toBe(
      "ops@[fd00::7]:2222",
    );
  });
});

describeWith([program("ssh", "apt-get install openssh-client", "-V")], "ssh's configuration", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "bedplate ssh%test-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** What ssh itself makes of the file, by option. */
  function asSshReads(fields: object, alias = TARGET_ALIAS): ReadonlyMap<string, string> {
    const file = join(folder, "config");
    writeFileSync(file, renderSshConfig(target(fields), folder));
    const said = execFileSync("ssh", ["-G", "-F", file, alias], { encoding: "utf8", timeout: 20_000 });
    return new Map(
      said.split("\n").map((line) => [line.split(" ", 1)[0] ?? "", line.slice(line.indexOf(" ") + 1)]),
    );
  }

  it("checks the pinned key strictly, asks nobody, and forwards nothing", () => {
    const options = asSshReads({ identityFile: "/keys/my 100% key" });
    expect(Object.fromEntries(options)).toMatchObject({
      batchmode: "yes",
      forwardagent: "no",
      forwardx11: "no",
      globalknownhostsfile: "/dev/null",
      hostkeyalias: "target",
      identitiesonly: "yes",
      permitlocalcommand: "no",
      stricthostkeychecking: "true",
      updatehostkeys: "false",
    });
    expect(options.get("userknownhostsfile")).toContain("known-hosts");
  });

  it("reaches a host through a jump whose key is pinned as well", () => {
    const proxyJump = { address: "bastion.example.com", port: 2200, user: "jump", hostKey: OTHER_KEY };
    expect(asSshReads({ proxyJump }).get("proxyjump")).toBe("jump");
    const jump = asSshReads({ proxyJump }, "jump");
    expect([jump.get("hostname"), jump.get("port"), jump.get("user"), jump.get("hostkeyalias")]).toEqual([
      "bastion.example.com",
      "2200",
      "jump",
      "jump",
    ]);
    expect(jump.get("stricthostkeychecking")).toBe("true");
    expect(renderKnownHosts(target({ proxyJump }))).toBe(`target ${HOST_KEY}\njump ${OTHER_KEY}\n`);
  });

  it("never says more to ssh than the fields of a target that the schema takes", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary", maxLength: 12 }),
      fc.stringMatching(/^[A-Za-z0-9.:_%@~/ -]{1,16}$/),
      fc.constantFrom("%h", "${HOME}", "a\tb", "match exec id", "~/x y"),
    );
    const address = text.filter((value) => isRight({ address: value }));
    const user = text.filter((value) => isRight({ user: value }));
    const identityFile = text
      .map((value) => `/k/${value}`)
      .filter((value) => isRight({ identityFile: value }));
    const asked = asSshReads({});
    fc.assert(
      fc.property(
        fc.record({ address, user, identityFile }, { requiredKeys: ["address", "user"] }),
        (fields) => {
          const read = asSshReads(fields);
          // ssh writes numbers as addresses, "0" as 0.0.0.0, and names in lower case.
          if (/^[g-z]/i.test(fields.address)) expect(read.get("hostname")).toBe(fields.address.toLowerCase());
          expect(read.get("user")).toBe(fields.user);
          for (const option of [
            "proxycommand",
            "proxyjump",
            "localcommand",
            "stricthostkeychecking",
            "batchmode",
          ]) {
            expect(read.get(option)).toBe(asked.get(option));
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});
