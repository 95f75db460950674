import type { Deployment } from "@pulumi/pulumi/automation/index.js";
import { expect, test, vi } from "vitest";
import { type EnvironmentInput, environmentSchema } from "../../components/environment/environment-spec.ts";
import { Environment } from "../../components/environment/environment.ts";
import type { HostArchives } from "../../components/environment/host-archives.ts";
import { readStackConfig } from "../../components/environment/stack-config.ts";
import { LOCAL_VM_TYPE } from "../../components/provider/local-vm-resource.ts";
import { TUNED_HOST_TYPE } from "../../components/provider/tuned-host-resource.ts";
import type { TunedHostSpec } from "../../components/hosts/ssh/tuned-host-spec.ts";
import { local } from "../../stacks/local.ts";
import {
  changesOf,
  deletionsOf,
  expectNoError,
  recordedState,
  replacementsOf,
} from "../helpers/engine-operations.ts";
import { EngineStack, type Operation } from "../helpers/engine-stack.ts";
import { describeWith, program } from "../helpers/needs.ts";
import { PULUMI } from "../helpers/pulumi-cli.ts";
import { sshEnvironment } from "../helpers/ssh-stack.ts";

vi.setConfig({ testTimeout: 300_000 });

const SSH = program("ssh", "apt-get install openssh-client", "-V");

/**
 * Recorded with machines that were up, whose archives were those of the release: another archive is another machine, and
 * that a `local` machine is replaced for it is no surprise. Here are the release's archives still, and all else is new.
 */
describeWith([PULUMI, SSH], "machines as the previous release left them", () => {
  test("a local machine is replaced for its user data alone, which tells the service now that nobody is authorized", async () => {
    const preview = await previewAfter("local", local, [`${LOCAL_VM_TYPE} lab-0 for userData`]);
    expect(changesOf(preview).filter((change) => isOfMachines(change) && !change.includes(" lab-0"))).toEqual(
      [],
    );
  });

  test("a host that does not answer is kept, and the preview says that it could not look", async () => {
    const { target } = resourceOf(recordedState("ssh"), TUNED_HOST_TYPE) as unknown as TunedHostSpec;
    const preview = await previewAfter("ssh", sshEnvironment([{ name: "web-1", target }]));
    expect(changesOf(preview).filter(isOfMachines)).toEqual([`update ${TUNED_HOST_TYPE} rack-web-1`]);
    const [host] = preview.steps.filter(({ type }) => type === TUNED_HOST_TYPE);
    expect(host?.changed).toEqual(['plan["not known"]']);
    expect(preview.diagnostics.join("\n")).toMatch(/Cannot reach root@127\.0\.0\.1:1: .*Connection refused/);
  });
});

/** A preview of today's program over the recorded state; fails for anything else that is replaced, and for what is deleted. */
async function previewAfter(
  recorded: string,
  environment: EnvironmentInput,
  replacements: readonly string[] = [],
): Promise<Operation> {
  const deployment = recordedState(recorded);
  const spec = environmentSchema.parse(environment);
  const archives = archivesIn(deployment);
  const stack = await EngineStack.open({
    stack: spec.name,
    program: async () => {
      const { outputs } = new Environment(spec.name, { spec, config: readStackConfig(), archives });
      return await Promise.resolve({ ...outputs });
    },
    deployment,
  });
  try {
    const preview = await stack.preview();
    expectNoError(preview);
    expect({ replacements: replacementsOf(preview), deletions: deletionsOf(preview) }).toEqual({
      replacements,
      deletions: [],
    });
    return preview;
  } finally {
    stack.close();
  }
}

/** The archives that the recorded machines were made with. */
function archivesIn(deployment: Deployment): HostArchives {
  const text = JSON.stringify(deployment);
  const find = (pattern: RegExp) => {
    const [path, sha256] = pattern.exec(text) ?? [];
    if (path === undefined || sha256 === undefined) throw new Error(`The state names no ${pattern.source}`);
    return { path, sha256 };
  };
  return {
    agent: { x86_64: find(/\/[^"]*\/agent-x86_64-([0-9a-f]{64})\.tar\.gz/) },
    service: find(/\/[^"]*\/service-([0-9a-f]{64})\.tar\.gz/),
  };
}

function resourceOf(deployment: Deployment, type: string): Record<string, unknown> {
  const { resources } = deployment.deployment as {
    readonly resources: readonly { readonly type: string; readonly inputs: Record<string, unknown> }[];
  };
  const found = resources.find((resource) => resource.type === type);
  if (found === undefined) throw new Error(`The state has no ${type}`);
  return found.inputs;
}

/** The engine's own providers and the stack are no machines. */
function isOfMachines(change: string): boolean {
  return !change.includes(" pulumi:");
}
