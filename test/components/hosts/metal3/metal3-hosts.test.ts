import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { stringify } from "yaml";
import { previewEnvironment, errorsOf, renderPreview } from "../../../helpers/preview-environment.ts";
import { PROGRAM_LIMIT_MILLIS, type ProgramRun } from "../../../helpers/program-host.ts";
import { rackEnvironment } from "./rack-environment.ts";

vi.setConfig({ testTimeout: 2 * PROGRAM_LIMIT_MILLIS, hookTimeout: 2 * PROGRAM_LIMIT_MILLIS });

const PASSWORD = "correct horse battery staple";
const ACCOUNTS = {
  "rack-serving-r1u1": { username: "bedplate", password: PASSWORD },
  "rack-serving-r1u2": { username: "bedplate", password: PASSWORD },
};

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "bedplate-racks-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function run(changes: {
  readonly accounts?: object;
  readonly kubeconfig?: string;
  readonly isPreview?: boolean;
}) {
  const file = path.join(folder, "rack.yaml");
  writeFileSync(file, stringify(rackEnvironment()));
  const { accounts = ACCOUNTS, kubeconfig = "{}", isPreview = true } = changes;
  return previewEnvironment("rack", {
    isPreview,
    config: { environmentFile: file, kubeconfig, bmcCredentials: JSON.stringify(accounts) },
    outputsOf: (type, name) =>
      type === "kubernetes:metal3.io/v1alpha1:BareMetalHost"
        ? {
            status: {
              provisioning: { state: "provisioned" },
              hardware: {
                nics: [
                  { name: "eno2", mac: "52:54:00:00:00:99", ip: "10.0.1.99" },
                  {
                    name: "eno1",
                    mac: "52:54:00:00:00:0A",
                    ip: name.endsWith("r1u1") ? "10.0.1.1" : "10.0.1.2",
                  },
                  { name: "eno3", mac: "52:54:00:00:00:0b" },
                ],
              },
            },
          }
        : {},
  });
}

function inputsOf({ resources }: ProgramRun, kind: string, name: string) {
  const found = resources.find((resource) => resource.type.endsWith(`:${kind}`) && resource.name === name);
  if (found === undefined) throw new Error(`No ${kind} "${name}"`);
  return found.inputs;
}

/** Without what the SDK itself says of every call when it is told to debug. */
function shownLogs({ logs }: ProgramRun) {
  return logs.filter(({ severity }) => severity !== "debug");
}

function faultsOf(found: ProgramRun): readonly string[] {
  expect(found.resources.filter(({ type }) => type !== "pulumi:pulumi:Stack")).toEqual([]);
  const [error] = found.logs.filter(({ severity }) => severity === "error");
  return (error?.message ?? "")
    .trimEnd()
    .split("\n")
    .slice(1)
    .map((line) => line.trim());
}

describe("an environment of racked machines", () => {
  let preview: ProgramRun;
  beforeAll(async () => {
    preview = await run({});
  });

  test("previews as reviewed", async () => {
    expect(preview.exitCode, errorsOf(preview)).toBe(0);
    await expect(renderPreview(preview)).toMatchFileSnapshot("../../../golden/previews/rack.txt");
  });

  test("keeps the controllers' accounts as secrets, everywhere", () => {
    expect(JSON.stringify(inputsOf(preview, "Secret", "rack-serving-r1u1-bmc"))).toContain(PASSWORD);
    expect(inputsOf(preview, "Secret", "rack-serving-r1u1-bmc")["stringData"]).toHaveProperty("secret");
    const elsewhere = preview.resources.filter(({ name }) => !name.endsWith("-bmc"));
    expect(JSON.stringify([elsewhere, preview.outputs, shownLogs(preview), preview.stderr])).not.toContain(
      PASSWORD,
    );
  });

  test("boots machines with the user data of every other host, which fetches from where the archives are published", () => {
    const { secret } = inputsOf(preview, "Secret", "rack-serving-user-data")["stringData"] as {
      secret: { userData: string };
    };
    const { userData } = secret;
    expect(userData).toMatch(/^#cloud-config\n/);
    expect(userData).toContain("https://artifacts.example.com/bedplate/54c0bf02f6d4");
    expect(userData).toContain("/etc/bedplate/profile.yaml");
  });

  test("has firmware settings and the attached image there before the machine", () => {
    const host = preview.resources.find(
      ({ name, type }) => name === "rack-serving-r1u1" && type.endsWith("BareMetalHost"),
    );
    const settings = preview.resources.filter(({ name }) =>
      /^rack-serving-r1u1-(firmware|data-image)$/.test(name),
    );
    expect(settings).toHaveLength(2);
    expect(host?.dependencies).toEqual(expect.arrayContaining(settings.map(({ urn }) => urn)));
  });

  test("reads back the address of the NIC that boots, and none that the inspection did not see", async () => {
    const up = await run({ isPreview: false });
    expect(up.outputs["pools"]).toMatchObject({
      serving: { where: "metal3", count: 2, addresses: ["10.0.1.1"] },
    });
    expect(up.outputs["serviceUrls"]).toEqual(["http://10.0.1.1:8080/mcp"]);
  });

  test("fails for machines without an account, and without the cluster that runs Metal3, naming all", async () => {
    const { "rack-serving-r1u1": known } = ACCOUNTS;
    const found = await run({ kubeconfig: "", accounts: { "rack-serving-r1u1": known } });
    expect(faultsOf(found)).toEqual([
      expect.stringMatching(/^hostPools\[0\]\.where: "metal3" needs the cluster that runs it/),
      expect.stringMatching(
        /^hostPools\[0\]\.hosts\[1\]: .*bmcCredentials \(secret\) has no "rack-serving-r1u2"/,
      ),
    ]);
  });

  test("fails for accounts that are none, without printing them", async () => {
    const found = await run({
      accounts: { "rack-serving-r1u1": { username: "bedplate", pasword: PASSWORD } },
    });
    expect(found.exitCode).not.toBe(0);
    expect(faultsOf(found)).toContain('bmcCredentials["rack-serving-r1u1"].pasword: unknown key');
    expect(JSON.stringify([shownLogs(found), found.stderr])).not.toContain(PASSWORD);
  });
});
