import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, it, onTestFinished } from "vitest";
import { parse } from "yaml";
import {
  USER_DATA_LIMIT_BYTES,
  type UserDataInput,
  renderUserData,
} from "../../../components/user-data/render-user-data.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { hostProfileSchema } from "../../../host-tuning/profile/host-profile.ts";
import { describeWith, program } from "../../helpers/needs.ts";

interface WrittenFile {
  path: string;
  content: string;
  permissions: string;
  owner: string;
}

const AGENT_SHA256 = "a1".repeat(32);
const SERVICE_SHA256 = "b2".repeat(32);

function sampleInput(overrides: Partial<UserDataInput> = {}): UserDataInput {
  return {
    profile: { apiVersion: "bedplate/v1", kind: "HostProfile", preset: "latency" },
    artifacts: {
      agent: { url: `s3://artifacts/agent-x86_64-${AGENT_SHA256}.tar.gz`, sha256: AGENT_SHA256 },
      service: { url: `https://artifacts.example/service-${SERVICE_SHA256}.tar.gz`, sha256: SERVICE_SHA256 },
    },
    service: { port: 8443, allowedHosts: ["mcp.example"] },
    sshAuthorizedKeys: ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4i operator@example"],
    ...overrides,
  };
}

function writtenFiles(text: string): Map<string, WrittenFile> {
  const { write_files: files } = parse(text) as { write_files: WrittenFile[] };
  return new Map(files.map((file) => [file.path, file]));
}

/** An input that is as long as asked for and that gzip cannot shorten much. */
function overridesOfBytes(bytes: number): Record<string, { value: number; because: string }> {
  let seed = 1;
  const digits = Array.from({ length: bytes }, () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return (seed % 36).toString(36);
  });
  return { "net.core.somaxconn": { value: 5000, because: digits.join("") } };
}

function faultsOf(input: UserDataInput): string[] {
  try {
    renderUserData(input);
  } catch (error) {
    if (error instanceof InputError) return error.faults.map((fault) => `${fault.path}: ${fault.message}`);
    throw error;
  }
  return [];
}

describe("renderUserData()", () => {
  it("matches the reviewed text", async () => {
    await expect(renderUserData(sampleInput()).text).toMatchFileSnapshot(
      "../../golden/user-data/agent-and-service.yaml",
    );
  });

  it("gives the same bytes for the same input", () => {
    expect(renderUserData(sampleInput())).toEqual(renderUserData(sampleInput()));
  });

  it("writes a profile that the agent reads back as the same profile", () => {
    const files = writtenFiles(renderUserData(sampleInput()).text);
    expect(hostProfileSchema.parse(parse(files.get("/etc/bedplate/profile.yaml")?.content ?? ""))).toEqual(
      hostProfileSchema.parse(sampleInput().profile),
    );
  });

  it("names each archive with its digest, the service with its unit", () => {
    const files = writtenFiles(renderUserData(sampleInput()).text);
    expect(files.get("/etc/bedplate/artifacts")?.content.split("\n")).toEqual([
      `agent ${AGENT_SHA256} s3://artifacts/agent-x86_64-${AGENT_SHA256}.tar.gz`,
      `service ${SERVICE_SHA256} https://artifacts.example/service-${SERVICE_SHA256}.tar.gz mcp-service.service`,
      "",
    ]);
  });

  it("hands the workload's streams to the service as its bound on subscriptions", () => {
    const input = sampleInput();
    const text = renderUserData({
      ...input,
      profile: { ...input.profile, workload: { streams: 20_000 } },
    }).text;
    expect(writtenFiles(text).get("/etc/systemd/system/mcp-service.service")?.content).toContain(
      '\nEnvironment="MAX_SUBSCRIPTIONS=20000"\n',
    );
  });

  it("writes no service where none is deployed on the host", () => {
    const files = writtenFiles(
      renderUserData({
        profile: { apiVersion: "bedplate/v1", kind: "HostProfile", service: { runtime: "kubernetes" } },
        artifacts: { agent: sampleInput().artifacts.agent },
      }).text,
    );
    expect([...files.keys()]).toEqual([
      "/etc/bedplate/profile.yaml",
      "/etc/bedplate/artifacts",
      "/usr/local/sbin/bedplate-install",
    ]);
  });

  it("orders the agent before a service that is not ours", () => {
    const files = writtenFiles(
      renderUserData({
        profile: { apiVersion: "bedplate/v1", kind: "HostProfile", service: { unit: "search.service" } },
        artifacts: { agent: sampleInput().artifacts.agent },
      }).text,
    );
    expect(files.get("/etc/systemd/system/bedplate.service.d/10-service.conf")?.content).toBe(
      "[Unit]\nBefore=search.service\n",
    );
  });

  it("gives the drift timer the profile's interval where that is its own", () => {
    const { profile, artifacts } = sampleInput();
    const drop = "/etc/systemd/system/bedplate-drift.timer.d/10-interval.conf";
    expect(writtenFiles(renderUserData(sampleInput()).text).has(drop)).toBe(false);
    const files = writtenFiles(
      renderUserData({ profile: { ...profile, drift: { intervalMinutes: 5 } }, artifacts }).text,
    );
    expect(files.get(drop)?.content).toBe("[Timer]\nOnBootSec=\nOnBootSec=5min\nOnUnitActiveSec=5min\n");
  });

  it("requires the tuning for the service, or only wants it where that is asked for", () => {
    const required = renderUserData(sampleInput()).text;
    const wanted = renderUserData(sampleInput({ service: { tuning: "wanted" } })).text;
    expect(required).toContain("Requires=bedplate-early.service bedplate.service");
    expect(wanted).not.toContain("Requires=");
    expect(wanted).toContain("Wants=bedplate-early.service bedplate.service");
  });

  it("stays plain below 16 KiB, and what is encoded is the text", () => {
    const { encoded, encoding, bytes, text } = renderUserData(sampleInput());
    expect(encoding).toBe("plain");
    expect(Buffer.from(encoded, "base64").toString("utf8")).toBe(text);
    expect(bytes).toBe(Buffer.byteLength(text));
    expect(bytes).toBeLessThanOrEqual(USER_DATA_LIMIT_BYTES);
  });

  it("packs a longer text with gzip", () => {
    const input = sampleInput();
    const { encoded, encoding, bytes, text } = renderUserData({
      ...input,
      profile: { ...input.profile, overrides: overridesOfBytes(9000) },
    });
    expect(encoding).toBe("gzip");
    expect(Buffer.byteLength(text)).toBeGreaterThan(USER_DATA_LIMIT_BYTES);
    expect(bytes).toBeLessThanOrEqual(USER_DATA_LIMIT_BYTES);
    expect(gunzipSync(Buffer.from(encoded, "base64")).toString("utf8")).toBe(text);
  });

  it("fails with both sizes when even gzip is above the limit", () => {
    const input = sampleInput();
    const [fault, ...others] = faultsOf({
      ...input,
      profile: { ...input.profile, overrides: overridesOfBytes(40_000) },
    });
    expect(others).toEqual([]);
    expect(fault).toMatch(/^: \d{5} bytes, and \d{5} bytes with gzip, are above the limit of 16384$/);
  });

  it("fails with every fault at once", () => {
    const input = sampleInput();
    expect(
      faultsOf({
        ...input,
        profile: { ...input.profile, confirm: { timeoutSeconds: 1 } },
        artifacts: {
          agent: { url: "http://artifacts.example/agent.tar.gz", sha256: "A1" },
          service: { url: "https://user:word@artifacts.example/x", sha256: SERVICE_SHA256 },
        },
        service: { port: 80 },
        sshAuthorizedKeys: ["-----BEGIN OPENSSH PRIVATE KEY-----"],
      }).map((fault) => fault.split(":", 1)[0]),
    ).toEqual([
      "profile.confirm.timeoutSeconds",
      "artifacts.agent.url",
      "artifacts.agent.sha256",
      "artifacts.service.url",
      "service.port",
      "sshAuthorizedKeys[0]",
    ]);
  });

  it("fails for a service of the host where the profile runs it on Kubernetes", () => {
    const input = sampleInput();
    expect(faultsOf({ ...input, profile: { ...input.profile, service: { runtime: "kubernetes" } } })).toEqual(
      ["artifacts.service: the profile's service runs on kubernetes, not as a unit of the host"],
    );
  });

  it.each([
    ["s3://bucket/key.tar.gz", true],
    ["https://host/key.tar.gz", true],
    ["http://10.0.2.2:8000/key.tar.gz", true],
    ["http://127.0.0.1:8000/key.tar.gz", true],
    ["http://10.0.2.100/key.tar.gz", true],
    ["http://10.0.2.1001/key.tar.gz", false],
    ["http://10.0.2.3:8000/key.tar.gz", false],
    ["http://10.0.2.2.example:8000/key.tar.gz", false],
    ["http://10.0.2.2:8000@example/key.tar.gz", false],
    ["ftp://host/key.tar.gz", false],
    ["s3://bucket/", false],
    ["https://host/a b", false],
    ['https://host/$(reboot)"x', false],
  ])("takes the address %s: %s", (url, isTaken) => {
    const faults = faultsOf({
      ...sampleInput(),
      artifacts: { agent: { url, sha256: AGENT_SHA256 } },
      service: undefined,
    });
    expect(faults.filter((fault) => fault.startsWith("artifacts.agent.url"))).toHaveLength(isTaken ? 0 : 1);
  });
});

describeWith([program("cloud-init", "apt-get install cloud-init")], "cloud-init", () => {
  it("finds the user data valid", () => {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-user-data-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "user-data");
    writeFileSync(file, renderUserData(sampleInput()).text);
    const output = execFileSync("cloud-init", ["schema", "--config-file", file], {
      encoding: "utf8",
      timeout: 60_000,
    });
    expect(output).toContain("Valid");
  });
});
