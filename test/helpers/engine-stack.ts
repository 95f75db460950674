import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  type EngineEvent,
  LocalWorkspace,
  type OpType,
  PulumiCommand,
  type PulumiFn,
  type Stack,
} from "@pulumi/pulumi/automation/index.js";
import { execa } from "execa";
import { stringify } from "yaml";
import { makeStack } from "../../components/environment/make-stack.ts";
import { ARCHIVES, answerAccountCalls } from "./preview-environment.ts";
import type { Values } from "./provider-double/check-inputs.ts";
import { type DoubledResource, ProviderDouble } from "./provider-double/provider-double.ts";
import { pulumiCli } from "./pulumi-cli.ts";

/**
 * An environment under the real engine, with its state in files and doubles in place of the clouds' providers. The program
 * is the one of `pulumi up`, served from this process.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
/** For a command that changes the state's file alone. */
const COMMAND_LIMIT_MILLIS = 60_000;

export interface EngineStackArgs {
  readonly stack: string;
  /** @default - the program of every stack */
  readonly program?: PulumiFn;
  /** A program in YAML instead: its keys in Pulumi.yaml, and the folder of the language host that runs it. */
  readonly yaml?: { readonly program: Readonly<Record<string, unknown>>; readonly languageHost: string };
  readonly config?: Readonly<Record<string, string>>;
  readonly secretConfig?: Readonly<Record<string, string>>;
  /** What each cloud holds already, by the provider's name. */
  readonly resources?: Readonly<Partial<Record<"aws" | "kubernetes", readonly DoubledResource[]>>>;
  /** What the controllers of the cluster add to a resource once it is made. */
  readonly addedByControllers?: (type: string, inputs: Values) => Values;
  /** State of an earlier release: what `pulumi stack export` prints. */
  readonly deployment?: Parameters<Stack["importStack"]>[0];
  /** Folders of policy packs that every preview and up has to pass. */
  readonly policyPacks?: readonly string[];
}

/** What the engine did to one resource, or would do. */
export interface Step {
  readonly operation: OpType;
  readonly type: string;
  readonly name: string;
  /** Paths of the inputs that the replacement is for; empty where it is none. */
  readonly replacedFor: readonly string[];
  /** Paths of the inputs that differ. */
  readonly changed: readonly string[];
}

export interface Operation {
  readonly steps: readonly Step[];
  /** What people read, without colour. */
  readonly diagnostics: readonly string[];
  readonly policyEvents: readonly PolicyEvent[];
  readonly error: Error | undefined;
}

export interface PolicyEvent {
  readonly policy: string;
  readonly pack: string;
  readonly resource: string;
  readonly message: string;
  readonly level: string;
}

interface StoredResource {
  readonly type: string;
  readonly id: string;
  readonly protect?: boolean;
  readonly retainOnDelete?: boolean;
}

export class EngineStack {
  readonly aws: ProviderDouble;
  readonly kubernetes: ProviderDouble;
  readonly #folder: string;
  readonly #args: EngineStackArgs;
  #stack: Stack | undefined;

  private constructor(args: EngineStackArgs) {
    this.#args = args;
    this.#folder = mkdtempSync(path.join(tmpdir(), "bedplate-engine-"));
    this.aws = new ProviderDouble({
      packageName: "aws",
      invoke: answerAsAsked,
      ...(args.resources?.aws === undefined ? {} : { resources: args.resources.aws }),
    });
    this.kubernetes = new ProviderDouble({
      packageName: "kubernetes",
      ...(args.addedByControllers === undefined ? {} : { adds: args.addedByControllers }),
      ...(args.resources?.kubernetes === undefined ? {} : { resources: args.resources.kubernetes }),
    });
  }

  static async open(args: EngineStackArgs): Promise<EngineStack> {
    const opened = new EngineStack(args);
    await Promise.all([opened.aws.start(), opened.kubernetes.start()]);
    opened.#stack = await opened.#select();
    if (args.deployment !== undefined) await opened.stack.importStack(args.deployment);
    return opened;
  }

  get stack(): Stack {
    if (this.#stack === undefined) throw new Error("The stack is not open yet");
    return this.#stack;
  }

  close(): void {
    this.aws.stop();
    this.kubernetes.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** Sets a key of the stack; the next operation has it. */
  async setConfig(key: string, value: string): Promise<void> {
    await this.stack.setConfig(`bedplate:${key}`, { value });
  }

  async setSecretConfig(key: string, value: string): Promise<void> {
    await this.stack.setConfig(`bedplate:${key}`, { value, secret: true });
  }

  preview(): Promise<Operation> {
    return this.#watch((onEvent) => this.stack.preview({ onEvent, ...this.#policies(), ...QUIET }));
  }

  up(): Promise<Operation> {
    return this.#watch((onEvent) => this.stack.up({ onEvent, ...this.#policies(), ...QUIET }));
  }

  /** Looks at the clouds first, then makes what is wanted. */
  refreshedUp(): Promise<Operation> {
    return this.#watch((onEvent) => this.stack.up({ onEvent, refresh: true, ...this.#policies(), ...QUIET }));
  }

  destroy(): Promise<Operation> {
    return this.#watch((onEvent) => this.stack.destroy({ onEvent, ...QUIET }));
  }

  /** The state's file, as it lies on disk. */
  storedState(): string {
    return readFileSync(
      path.join(this.#folder, `state/.pulumi/stacks/bedplate/${this.#args.stack}.json`),
      "utf8",
    );
  }

  /** What a destroy stops at, and what one leaves in the cloud: the resources that the program said so of. */
  safeguards(): { readonly guarded: readonly string[]; readonly kept: readonly string[] } {
    const { checkpoint } = JSON.parse(this.storedState()) as {
      readonly checkpoint: { readonly latest: { readonly resources: readonly StoredResource[] } };
    };
    const clouds = checkpoint.latest.resources.filter(({ type }) => /^(aws|kubernetes):/.test(type));
    const idsOf = (chosen: readonly StoredResource[]) =>
      chosen.map(({ type, id }) => `${type} ${id}`).toSorted();
    return {
      guarded: idsOf(clouds.filter((resource) => resource.protect === true)),
      kept: idsOf(clouds.filter((resource) => resource.retainOnDelete === true)),
    };
  }

  /** `pulumi state unprotect --all`: what an operator does before a destroy that is meant. */
  async unprotect(): Promise<void> {
    const { workspace, name } = this.stack;
    const command = ["state", "unprotect", "--all", "--yes", "--stack", name, "--non-interactive"];
    await execa(pulumiCli().path, command, {
      cwd: workspace.workDir,
      env: { ...workspace.envVars, PULUMI_HOME: workspace.pulumiHome },
      timeout: COMMAND_LIMIT_MILLIS,
    });
  }

  #policies() {
    return this.#args.policyPacks === undefined ? {} : { policyPacks: [...this.#args.policyPacks] };
  }

  async #select(): Promise<Stack> {
    const { yaml, stack: stackName } = this.#args;
    const workDir = path.join(this.#folder, "work");
    const state = path.join(this.#folder, "state");
    for (const made of [workDir, state]) mkdirSync(made, { recursive: true });
    writeFileSync(
      path.join(workDir, "Pulumi.yaml"),
      stringify({
        name: "bedplate",
        runtime: yaml === undefined ? { name: "nodejs", options: { typescript: false } } : "yaml",
        ...yaml?.program,
        backend: { url: `file://${state}` },
        plugins: {
          providers: [{ name: "bedplate", path: path.join(REPOSITORY, "components/provider/plugin") }],
          analyzers: [{ name: "policy-nodejs", path: path.join(REPOSITORY, "components/policy/plugin") }],
        },
      }),
    );
    const { root } = pulumiCli();
    const options = {
      pulumiHome: path.join(this.#folder, "home"),
      pulumiCommand: await PulumiCommand.get(root === undefined ? undefined : { root }),
      secretsProvider: "passphrase",
      envVars: {
        PULUMI_CONFIG_PASSPHRASE: "test",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
        PULUMI_DEBUG_PROVIDERS: `${this.aws.address},${this.kubernetes.address}`,
        ...(yaml === undefined ? {} : { PATH: `${yaml.languageHost}:${process.env["PATH"] ?? ""}` }),
      },
    };
    const program = this.#args.program ?? (async () => ({ ...(await makeStack()) }));
    const stack =
      yaml === undefined
        ? await LocalWorkspace.createOrSelectStack(
            { stackName, projectName: "bedplate", program },
            { workDir, ...options },
          )
        : await LocalWorkspace.createOrSelectStack({ stackName, workDir }, options);
    const plain = { archiveManifest: ARCHIVES, ...this.#args.config };
    const secret = { kubeconfig: "{}", ...this.#args.secretConfig };
    await stack.setAllConfig({
      ...configOf(plain, false),
      ...configOf(secret, true),
    });
    return stack;
  }

  async #watch(run: (onEvent: (event: EngineEvent) => void) => Promise<unknown>): Promise<Operation> {
    const steps: Step[] = [];
    const diagnostics: string[] = [];
    const policyEvents: PolicyEvent[] = [];
    const onEvent = (event: EngineEvent): void => {
      const metadata = event.resourcePreEvent?.metadata;
      if (metadata !== undefined) {
        steps.push({
          operation: metadata.op,
          type: metadata.type,
          name: metadata.urn.split("::").slice(3).join("::"),
          replacedFor: metadata.keys ?? [],
          changed: Object.keys(metadata.detailedDiff ?? {}),
        });
      }
      const diagnostic = event.diagnosticEvent;
      if (diagnostic !== undefined && diagnostic.severity !== "info#err") {
        const text = diagnostic.message.replaceAll(/<\{%.*?%\}>/g, "").trim();
        if (text !== "" && ["info", "warning", "error"].includes(diagnostic.severity)) diagnostics.push(text);
      }
      const policy = event.policyEvent;
      if (policy !== undefined) {
        policyEvents.push({
          policy: policy.policyName,
          pack: policy.policyPackName,
          resource: policy.resourceUrn ?? "",
          message: policy.message.replaceAll(/<\{%.*?%\}>/g, "").trim(),
          level: policy.enforcementLevel,
        });
      }
    };
    let error: Error | undefined;
    try {
      await run(onEvent);
    } catch (caught) {
      error = caught instanceof Error ? caught : new Error(String(caught));
    }
    return { steps, diagnostics, policyEvents, error };
  }
}

const QUIET = { suppressProgress: true } as const;

const answerOf: (token: string, args: Values) => Values | undefined = answerAccountCalls;

/** The account's answers; what is asked for by id is there. */
function answerAsAsked(token: string, args: Values): Values | undefined {
  const answer = answerOf(token, args);
  return answer !== undefined && args["id"] !== undefined ? { ...answer, id: args["id"] } : answer;
}

function configOf(values: Readonly<Record<string, string>>, secret: boolean) {
  return Object.fromEntries(
    Object.entries(values).map(([key, value]) => [`bedplate:${key}`, { value, secret }]),
  );
}
