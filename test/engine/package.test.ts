import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { ENVIRONMENT_TYPE, type EnvironmentInput } from "../../components/environment/environment-spec.ts";
import { LOCAL_VM_TYPE } from "../../components/provider/local-vm-resource.ts";
import { prod } from "../../stacks/prod.ts";
import { expectNoError } from "../helpers/engine-operations.ts";
import { EngineStack } from "../helpers/engine-stack.ts";
import { describeWith } from "../helpers/needs.ts";
import { ARCHIVES } from "../helpers/preview-environment.ts";
import { PULUMI, pulumiCli } from "../helpers/pulumi-cli.ts";
import { PYTHON_SDK, installPackageSdk, runPythonProgram } from "../helpers/python-sdk.ts";
import { YAML_LANGUAGE_HOST, yamlLanguageHost } from "../helpers/yaml-language-host.ts";

vi.setConfig({ testTimeout: 300_000, hookTimeout: 300_000 });

const PROVIDER_FOLDER = path.resolve(import.meta.dirname, "../../components/provider");
const PROVIDER = path.join(PROVIDER_FOLDER, "plugin/pulumi-resource-bedplate");
const SCHEMA = path.join(PROVIDER_FOLDER, "package-schema.json");

const PYTHON_PROGRAM = path.resolve(import.meta.dirname, "../fixtures/programs/dev_environment.py");

const TOKEN = "not-for-everybody";
const KUBECONFIG = JSON.stringify({ users: [{ token: TOKEN }] });
const SETTINGS = {
  archiveManifest: path.resolve(import.meta.dirname, "../..", ARCHIVES),
  kubeconfig: { "fn::secret": KUBECONFIG },
};

/** A program in YAML with one environment, whose every output is the stack's. */
function yamlProgram(
  inputs: Readonly<Record<string, unknown>>,
  others: Readonly<Record<string, unknown>> = {},
) {
  return {
    program: {
      resources: { ...others, prod: { type: ENVIRONMENT_TYPE, properties: inputs } },
      outputs: { pools: "${prod.pools}", owner: "${prod.owner}", serviceUrls: "${prod.serviceUrls}" },
    },
    languageHost: yamlLanguageHost(),
  };
}

describeWith([PULUMI, YAML_LANGUAGE_HOST], "the package in a program in YAML, under the real engine", () => {
  test("takes over what our own stack made of the same environment, with nothing to change", async () => {
    const ours = await EngineStack.open({ stack: "prod", secretConfig: { kubeconfig: KUBECONFIG } });
    const opened = [ours];
    try {
      const up = await ours.up();
      expect(up.error, up.diagnostics.join("\n")).toBeUndefined();
      const theirs = await EngineStack.open({
        stack: "prod",
        yaml: yamlProgram({ spec: prod satisfies EnvironmentInput, ...SETTINGS }),
        deployment: await ours.stack.exportStack(),
        resources: { aws: ours.aws.resources, kubernetes: ours.kubernetes.resources },
      });
      opened.push(theirs);
      const over = await theirs.up();
      expect(over.error, over.diagnostics.join("\n")).toBeUndefined();
      expect(over.steps.length).toBeGreaterThanOrEqual(up.steps.length);
      expect(over.steps.filter(({ operation }) => operation !== "same")).toMatchObject([
        { operation: "create", type: "pulumi:providers:bedplate" },
      ]);
      const { pools, owner, serviceUrls } = await ours.stack.outputs();
      expect(await theirs.stack.outputs()).toEqual({ pools, owner, serviceUrls });
      expect(theirs.storedState()).not.toContain(TOKEN);
    } finally {
      for (const stack of opened) stack.close();
    }
  });

  test("fails with every fault and its path, and makes nothing", async () => {
    const [first, second] = prod.hostPools;
    const stack = await EngineStack.open({
      stack: "prod",
      yaml: yamlProgram(
        {
          ...SETTINGS,
          kubeconfig: "${made.serviceUrl}",
          vpcId: "my-vpc",
          subnetIds: ["${made.machineId}"],
          amiId: { "fn::secret": "ami-0123456789abcdef0" },
          spec: {
            ...prod,
            name: "Prod",
            hostPools: [
              { ...first, count: 0 },
              { ...second, maxCount: 0 },
            ],
          },
        },
        { made: { type: LOCAL_VM_TYPE, properties: { name: "made", userData: "#cloud-config" } } },
      ),
    });
    try {
      const preview = await stack.preview();
      expect(preview.error).toBeDefined();
      const told = preview.diagnostics.join("\n");
      expect(told).toContain("environment prod: 7 faults");
      for (const path of ["spec.name", "spec.hostPools[0].count", "spec.hostPools[1].maxCount", "vpcId"]) {
        expect(told).toContain(`property ${path} with value`);
      }
      expect(told).toMatch(/property subnetIds with .*: is not known before an up/);
      expect(told).toContain("amiId: is a secret");
      expect(told).not.toContain("ami-0123456789abcdef0");
      expect(stack.aws.resources).toEqual([]);
    } finally {
      stack.close();
    }
  });
});

describeWith([PULUMI, PYTHON_SDK], "the package in a program in Python, under the real engine", () => {
  let folder: string;
  let sdk: string;
  let stack: EngineStack;
  const run = (...args: readonly string[]) =>
    runPythonProgram(stack, { sdk, program: PYTHON_PROGRAM, arguments: args });

  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), "bedplate-python-"));
    sdk = await installPackageSdk(folder);
    stack = await EngineStack.open({
      stack: "dev",
      config: { archiveManifest: SETTINGS.archiveManifest },
      secretConfig: { kubeconfig: KUBECONFIG },
    });
    expectNoError(await stack.up());
  });

  afterAll(() => {
    stack?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("takes over what our own stack made of the same environment, with nothing to change", async () => {
    const made = stack.aws.resources.length;
    const over = await run("up", "1");
    expect(over.exitCode, over.stderr).toBe(0);
    expect(Object.keys(JSON.parse(over.stdout) as object)).toEqual(["same"]);
    expect(stack.aws.resources).toHaveLength(made);
    // A program in Python exports what has a type of its own by Python's names.
    expect(await stack.stack.outputs()).toMatchObject({
      owner: { value: { team: "agent-platform", cost_center: "CC-4711", service: "mcp-gateway" } },
      pools: { value: { general: { where: "aws", count: 1, machine_type: "m5a.large", addresses: [] } } },
      serviceUrls: { value: [] },
    });
    expect(stack.storedState()).not.toContain(TOKEN);
  });

  test("changes what the program changes, and nothing beside", async () => {
    const called = stack.aws.calls.length;
    const up = await run("up", "2");
    expect(up.exitCode, up.stderr).toBe(0);
    const changes = stack.aws.calls.slice(called).map(({ operation, type }) => `${operation} ${type}`);
    expect(changes.toSorted()).toEqual([
      "update aws:autoscaling/group:Group",
      "update aws:autoscaling/schedule:Schedule",
    ]);
  });

  test("fails with every fault and its path", async () => {
    const preview = await run("preview", "0", "us_east");
    expect(preview.exitCode).not.toBe(0);
    for (const fault of ["spec.hostPools[0].count", "spec.region"]) {
      expect(preview.stderr).toContain(`property ${fault} with value`);
    }
  });
});

describeWith([PULUMI], "the package's schema", () => {
  test("is, as the command line reads it from the provider, the file that is generated", async () => {
    const home = mkdtempSync(path.join(tmpdir(), "bedplate-package-"));
    try {
      const { stdout } = await execa(pulumiCli().path, ["package", "get-schema", PROVIDER], {
        timeout: 60_000,
        env: { PULUMI_HOME: home, PULUMI_SKIP_UPDATE_CHECK: "true" },
      });
      expect(JSON.parse(stdout)).toEqual(JSON.parse(readFileSync(SCHEMA, "utf8")));
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });
});
