import { execFileSync } from "node:child_process";
import path from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseAnswer } from "../../../../components/hosts/ssh/remote-agent.ts";
import {
  agentPlanSchema,
  installationChanges,
  planChanges,
} from "../../../../components/hosts/ssh/host-changes.ts";
import { type HostLook, parseHostLook } from "../../../../components/hosts/ssh/host-look.ts";
import { HostError, loginError } from "../../../../components/hosts/ssh/ssh-connection.ts";
import { sshTargetSchema } from "../../../../components/hosts/ssh/ssh-target.ts";
import { tunedHostSpecSchema } from "../../../../components/hosts/ssh/tuned-host-spec.ts";

const SCRIPT = path.resolve(import.meta.dirname, "../../../../components/hosts/ssh/look-at-host.sh");
const SHA256 = "a".repeat(64);
const HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPsBjxTEGRzTnDH6oApDsdPTEMVoMRbnNqHfCNFnYpG8";

const LOOK = `uid 0
architecture x86_64
machine-id 0123456789abcdef0123456789abcdef
agent ${SHA256}
service${" "}
journal kept
missing flock
unit bedplate.service enabled
unit bedplate-early.service${" "}
file ${SHA256} /etc/bedplate/profile.yaml
`;

describe("parseHostLook()", () => {
  it("reads what the script says of this machine", () => {
    const said = execFileSync("sh", [SCRIPT, "no-such.service", "--", SCRIPT, "/no/such/file"], {
      encoding: "utf8",
      timeout: 20_000,
    });
    const look = parseHostLook(said, "here");
    expect(look).toMatchObject({ uid: process.getuid?.(), agent: undefined });
    expect([...look.files.keys()]).toEqual([SCRIPT]);
    expect([...look.units.keys()]).toEqual(["no-such.service"]);
  });

  it("reads every kind of line, and passes over what a login shell prints beside them", () => {
    expect(parseHostLook(`Welcome to web-1!\n\n${LOOK}bye`, "web-1")).toEqual({
      uid: 0,
      architecture: "x86_64",
      machineId: "0123456789abcdef0123456789abcdef",
      agent: SHA256,
      service: undefined,
      hasJournal: true,
      missingTools: ["flock"],
      units: new Map([
        ["bedplate.service", "enabled"],
        ["bedplate-early.service", ""],
      ]),
      files: new Map([["/etc/bedplate/profile.yaml", SHA256]]),
    });
  });

  it("takes any text for a host's look or names the host in an error", () => {
    const line = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom(...LOOK.split("\n")),
      fc
        .tuple(fc.constantFrom("uid", "file", "unit", "agent"), fc.string())
        .map(([word, rest]) => `${word} ${rest}`),
    );
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        try {
          const look = parseHostLook(lines.join("\n"), "web-1");
          expect(Number.isSafeInteger(look.uid)).toBe(true);
          for (const digest of look.files.values()) expect(digest).toMatch(/^[0-9a-f]{64}$/);
        } catch (error) {
          expect(error).toBeInstanceOf(HostError);
          expect((error as HostError).message).toMatch(/^web-1: /);
        }
      }),
    );
  });
});

const step = (fields: object) => ({
  key: "net.core.somaxconn",
  action: "set",
  beforeText: "128",
  afterText: "4096",
  because: "backlog",
  ...fields,
});

describe("planChanges()", () => {
  it("names what would be set with both values, and what cannot be read with the reason", () => {
    const plan = agentPlanSchema.parse({
      kind: "HostPlan",
      apiVersion: "bedplate/v9",
      steps: [
        step({}),
        step({ key: "vm.swappiness", action: "already-right", newer: "field" }),
        step({ key: "queue/scheduler[sda]", action: "failed", because: "permission denied" }),
      ],
    });
    expect(planChanges(plan)).toEqual({
      "net.core.somaxconn": "128 -> 4096",
      "queue/scheduler[sda]": "cannot be read: permission denied",
    });
  });
});

describe("parseAnswer()", () => {
  const result = (stdout: string) => ({ stdout, stderr: "", exitCode: 1 });

  it("gives the agent's own words where it refused", () => {
    const said = JSON.stringify({ kind: "Error", code: "AGENT_BUSY", message: "another agent is at work" });
    expect(() => parseAnswer(agentPlanSchema, result(said), "web-1: bedplate plan")).toThrow(
      "web-1: bedplate plan: another agent is at work",
    );
  });

  it("tells an agent of another kind by what is wrong with its answer", () => {
    const said = JSON.stringify({ kind: "HostPlan", steps: [step({ beforeText: 128 })] });
    expect(() => parseAnswer(agentPlanSchema, result(said), "web-1: bedplate plan")).toThrow(
      /Cannot understand the agent there: web-1: bedplate plan: 1 fault\n {2}steps\[0\]\.beforeText/,
    );
  });

  it("takes any text for a plan or names the host in an error", () => {
    const answers = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.json(),
      fc
        .record({
          kind: fc.constantFrom("HostPlan", "Error"),
          steps: fc.array(fc.anything()),
          message: fc.anything(),
        })
        .map((answer) => JSON.stringify(answer) ?? ""),
      fc
        .array(fc.record({ key: fc.string(), action: fc.string() }))
        .map((changes) => JSON.stringify({ kind: "HostPlan", steps: changes.map(step) })),
    );
    fc.assert(
      fc.property(answers, (stdout) => {
        try {
          const changes = planChanges(parseAnswer(agentPlanSchema, result(stdout), "web-1: bedplate plan"));
          for (const text of Object.values(changes)) expect(typeof text).toBe("string");
        } catch (error) {
          expect(error).toBeInstanceOf(HostError);
          expect((error as HostError).message).toContain("web-1: bedplate plan");
        }
      }),
    );
  });
});

describe("installationChanges()", () => {
  const spec = tunedHostSpecSchema.parse({
    name: "web-1",
    target: { address: "10.0.0.7", hostKey: HOST_KEY },
    profile: { apiVersion: "bedplate/v1", kind: "HostProfile" },
    agent: { path: "/agent.tar.gz", sha256: SHA256 },
  });
  const files = [{ path: "/etc/bedplate/profile.yaml", content: "", permissions: "0644" }];
  const units = ["bedplate.service"];
  const look = (fields: Partial<HostLook> = {}): HostLook => ({
    ...parseHostLook(LOOK, "web-1"),
    // sha256 of nothing.
    files: new Map([
      [files[0]?.path ?? "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],
    ]),
    ...fields,
  });

  it("finds nothing where all is as wanted", () => {
    expect(installationChanges(spec, look(), { files, units })).toEqual({});
  });

  it("tells a first installation in one line", () => {
    const empty = look({ agent: undefined, files: new Map(), units: new Map() });
    expect(installationChanges(spec, empty, { files, units })).toEqual({
      agent: "not installed -> aaaaaaaaaaaa",
    });
  });

  it("names a file that somebody changed, one that is gone, and a unit that will not start at boot", () => {
    const changed = look({
      files: new Map([["/etc/bedplate/profile.yaml", SHA256]]),
      units: new Map([["bedplate.service", "disabled"]]),
    });
    const more = { files: [...files, { path: "/etc/gone", content: "", permissions: "0644" }], units };
    expect(installationChanges(spec, changed, more)).toEqual({
      "/etc/bedplate/profile.yaml": "another content -> written",
      "/etc/gone": "missing -> written",
      "bedplate.service": "disabled -> enabled",
    });
  });
});

describe("loginError()", () => {
  const target = sshTargetSchema.parse({ address: "10.0.0.7", port: 2222, hostKey: HOST_KEY });

  it.each([
    ["Host key verification failed.", "HOST_KEY_CHANGED", /pinned host key/],
    [
      "No ED25519 host key is known for target and you have requested strict checking.",
      "HOST_KEY_CHANGED",
      /hostKey/,
    ],
    ["root@10.0.0.7: Permission denied (publickey).", "HOST_REFUSED", /identityFile/],
    ["ssh: connect to host 10.0.0.7 port 2222: Connection refused", "HOST_UNREACHABLE", /Connection refused/],
    ["", "HOST_UNREACHABLE", /no answer within/],
  ])("tells %j as %s", (said, code, words) => {
    const error = loginError(target, said);
    expect(error.code).toBe(code);
    expect(error.message).toMatch(words);
    expect(error.message).toContain("root@10.0.0.7:2222");
  });
});
