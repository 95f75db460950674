import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { LocalWorkspace, PulumiCommand, type Stack } from "@pulumi/pulumi/automation/index.js";
import { stringify } from "yaml";
import { buildHostArchives } from "../../components/environment/host-archives.ts";
import type { EnvironmentInput } from "../../components/environment/environment-spec.ts";
import { makeStack } from "../../components/environment/make-stack.ts";
import type { SshTarget } from "../../components/hosts/ssh/ssh-target.ts";
import type { Lab } from "./lab-vm.ts";
import { pulumiCli } from "./pulumi-cli.ts";

const REPOSITORY = resolve(import.meta.dirname, "../..");
const PROJECT = "bedplate";

/** A lab VM as a machine that exists already and is reached by ssh. */
export function targetOf({
  vm,
  stateDir,
}: Lab): Pick<SshTarget, "address" | "port" | "hostKey" | "identityFile"> {
  const publicKey = readFileSync(join(stateDir, "ssh-host-key.pub"), "utf8").trim();
  return {
    address: "127.0.0.1",
    port: vm.state.sshPort,
    hostKey: publicKey,
    identityFile: join(stateDir, "ssh-login-key"),
  };
}

/** The environment of a stack, in a file that a test may write again between two operations. */
export interface SshStack {
  readonly stack: Stack;
  write(environment: EnvironmentInput): void;
}

/**
 * A stack on the real engine, with its state in files below `folder`. The archives are built once: a source that is
 * edited meanwhile would be a change of every host.
 */
export async function openSshStack(folder: string, environment: EnvironmentInput): Promise<SshStack> {
  const workDir = join(folder, "work");
  const state = join(folder, "state");
  for (const made of [workDir, state]) mkdirSync(made, { recursive: true });
  const environmentFile = join(folder, "environment.yaml");
  const archiveManifest = join(folder, "archives.json");
  const write = (next: EnvironmentInput): void => writeFileSync(environmentFile, stringify(next));
  write(environment);
  if (!existsSync(archiveManifest)) {
    writeFileSync(archiveManifest, JSON.stringify(await buildHostArchives(new Set(["x86_64"]))));
  }
  const project = {
    name: PROJECT,
    runtime: { name: "nodejs", options: { typescript: false } },
    backend: { url: `file://${state}` },
    plugins: { providers: [{ name: "bedplate", path: join(REPOSITORY, "components/provider/plugin") }] },
  };
  writeFileSync(join(workDir, "Pulumi.yaml"), stringify(project));
  const { root } = pulumiCli();
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: environment.name, projectName: PROJECT, program: async () => ({ ...(await makeStack()) }) },
    {
      workDir,
      pulumiHome: join(folder, "home"),
      pulumiCommand: await PulumiCommand.get(root === undefined ? undefined : { root }),
      secretsProvider: "passphrase",
      envVars: {
        PULUMI_CONFIG_PASSPHRASE: "",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
      },
    },
  );
  await stack.setAllConfig({
    [`${PROJECT}:environmentFile`]: { value: environmentFile },
    [`${PROJECT}:archiveManifest`]: { value: archiveManifest },
  });
  return { stack, write };
}

/** Two hosts or one, tuned and without a service of their own: what the agent alone does to a machine. */
export function sshEnvironment(
  hosts: readonly { readonly name: string; readonly target: ReturnType<typeof targetOf> }[],
  changes: Partial<Pick<EnvironmentInput, "service">> & { readonly profile?: object } = {},
): EnvironmentInput {
  return {
    apiVersion: "bedplate/v1",
    kind: "Environment",
    name: "racks",
    region: "local",
    owner: { team: "platform", costCenter: "CC-1", service: "mcp" },
    hostPools: [
      {
        name: "rack",
        where: "ssh",
        needs: { vcpus: 2, memoryGiB: 1 },
        profile: { preset: "latency", ...changes.profile },
        hosts: hosts.map(({ name, target }) => ({ name, ...target })),
      },
    ],
    service: changes.service ?? { runtime: "systemd" },
    budget: { currency: "USD", perMonth: "0.00" },
  };
}
