import { existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import path from "node:path";
import {
  ConcurrentUpdateError,
  type EngineEvent,
  LocalWorkspace,
  type OutputMap,
  PulumiCommand,
  type Stack,
} from "@pulumi/pulumi/automation/index.js";
import { stringify } from "yaml";
import * as z from "zod";
import { parseContract } from "../../host-tuning/profile/parse-contract.ts";
import { LOCAL_VM_TYPE } from "../provider/local-vm-resource.ts";
import { makeStack } from "./make-stack.ts";

/**
 * The `local` environment through the real engine, with its state in files beside the checkout. The program is the one
 * that `pulumi up -s local` runs; here this process serves it to the engine (an inline program), so that the engine needs
 * no language host of its own.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const PROJECT = "bedplate";
const STACK = "local";

export interface RunEngineArgs {
  /** The command line to use, as `getPulumiCli()` found it; `root` undefined is the one on PATH. */
  readonly cli: { readonly root: string | undefined };
  readonly progress?: (event: EngineProgress) => void;
  /** @default - `.bedplate/engine` in the repository */
  readonly folder?: string;
  /** Settings of the stack, by key without the project's name. */
  readonly config?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** One line for people: what happens to which resource. */
export interface EngineProgress {
  readonly resource: string;
  readonly message: string;
}

const machineSchema = z.object({
  name: z.string(),
  address: z.string(),
  sshPort: z.number(),
  servicePort: z.number(),
  serviceUrl: z.string(),
  stateDir: z.string(),
  reportPath: z.string(),
  accelerator: z.string(),
  phases: z.array(z.object({ name: z.string(), durationMillis: z.number() })),
});

const outputsSchema = z.object({
  environment: z.string(),
  owner: z.object({ team: z.string(), costCenter: z.string(), service: z.string() }),
  serviceUrls: z.array(z.string()),
  machines: z.array(machineSchema),
});

export type LocalMachine = z.output<typeof machineSchema>;
export type LocalOutputs = z.output<typeof outputsSchema>;

export interface LocalUp extends LocalOutputs {
  /** How many resources were created, updated, replaced, left the same. */
  readonly changes: Readonly<Record<string, number>>;
  readonly durationMillis: number;
}

/** Brings the `local` environment up; a second time changes nothing. */
export async function upLocal(args: RunEngineArgs): Promise<LocalUp> {
  const startedAt = performance.now();
  const stack = await openStack(args);
  const result = await withEngine(stack, args, (options) => stack.up({ ...options, refresh: true }));
  return {
    ...parseOutputs(result.outputs),
    changes: result.summary.resourceChanges ?? {},
    durationMillis: performance.now() - startedAt,
  };
}

/** What an up would do, as counts by operation. */
export async function previewLocal(args: RunEngineArgs): Promise<Readonly<Record<string, number>>> {
  const stack = await openStack(args);
  const result = await withEngine(stack, args, (options) => stack.preview(options));
  return result.changeSummary;
}

/** Removes every machine of the `local` environment, then the engine's own files. */
export async function destroyLocal(args: RunEngineArgs): Promise<void> {
  if (!existsSync(folderOf(args))) return;
  const stack = await openStack(args);
  await withEngine(stack, args, (options) => stack.destroy({ ...options, refresh: true, remove: true }));
  rmSync(folderOf(args), { recursive: true, force: true });
}

/** What an earlier up left, or undefined when nothing is up. */
export async function readLocalOutputs(args: RunEngineArgs): Promise<LocalOutputs | undefined> {
  if (!existsSync(folderOf(args))) return undefined;
  const outputs = await (await openStack(args)).outputs();
  return Object.keys(outputs).length === 0 ? undefined : parseOutputs(outputs);
}

function folderOf(args: RunEngineArgs): string {
  return args.folder ?? path.join(REPOSITORY, ".bedplate/engine");
}

async function openStack(args: RunEngineArgs): Promise<Stack> {
  const folder = folderOf(args);
  const workDir = path.join(folder, "work");
  const state = path.join(folder, "state");
  for (const made of [workDir, state]) mkdirSync(made, { recursive: true });
  writeFileSync(path.join(workDir, "Pulumi.yaml"), stringify(projectFile(state)));
  const { root } = args.cli;
  const stack = await LocalWorkspace.createOrSelectStack(
    { stackName: STACK, projectName: PROJECT, program: async () => ({ ...(await makeStack()) }) },
    {
      workDir,
      pulumiHome: path.join(folder, "home"),
      pulumiCommand: await PulumiCommand.get(root === undefined ? undefined : { root }),
      secretsProvider: "passphrase",
      envVars: engineEnvironment(),
    },
  );
  const config = Object.entries(args.config ?? {}).map(([key, value]) => [`${PROJECT}:${key}`, { value }]);
  if (config.length > 0) await stack.setAllConfig(Object.fromEntries(config));
  return stack;
}

/** The project's Pulumi.yaml for a folder of its own, so that no run writes into the checkout's. */
function projectFile(stateFolder: string) {
  return {
    name: PROJECT,
    runtime: { name: "nodejs", options: { typescript: false } },
    backend: { url: `file://${stateFolder}` },
    plugins: { providers: [{ name: "bedplate", path: path.join(REPOSITORY, "components/provider/plugin") }] },
  };
}

/** The state holds no secret, so its passphrase protects nothing and is empty unless the user gives one. */
function engineEnvironment(): Record<string, string> {
  return {
    PULUMI_CONFIG_PASSPHRASE: process.env["PULUMI_CONFIG_PASSPHRASE"] ?? "",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    PULUMI_AUTOMATION_API_SKIP_VERSION_CHECK: "true",
  };
}

interface EngineOptions {
  readonly onEvent: (event: EngineEvent) => void;
  readonly signal?: AbortSignal;
  readonly suppressProgress: boolean;
}

/** Runs one operation; a lock that a killed run left is taken first. */
async function withEngine<T>(
  stack: Stack,
  args: RunEngineArgs,
  operation: (options: EngineOptions) => Promise<T>,
): Promise<T> {
  try {
    return await runOnce(stack, args, operation);
  } catch (error) {
    if (!(error instanceof ConcurrentUpdateError) || !isLeftByDead(error.message)) throw error;
    args.progress?.({ resource: "", message: "an earlier run was cut off: taking its lock" });
    await stack.cancel();
    return runOnce(stack, args, operation);
  }
}

/** When the operation fails, the error says what the engine said about each resource. */
async function runOnce<T>(
  stack: Stack,
  args: RunEngineArgs,
  operation: (options: EngineOptions) => Promise<T>,
): Promise<T> {
  const errors: string[] = [];
  try {
    return await operation({
      onEvent: (event) => {
        const { progress, error } = readEvent(event);
        if (progress !== undefined) args.progress?.(progress);
        if (error !== undefined) errors.push(error);
      },
      suppressProgress: true,
      ...(args.signal === undefined ? {} : { signal: args.signal }),
    });
  } catch (cause) {
    if (errors.length === 0) throw cause;
    throw new Error(`Cannot bring the stack ${stack.name} to what is wanted: ${errors.join("; ")}`, {
      cause,
    });
  }
}

/**
 * Were all locks that the engine names ("created by root@host (pid 123)") made on this machine by processes that are gone?
 * A lock of another machine, or of a process that lives, is somebody's run.
 */
export function isLeftByDead(message: string): boolean {
  const holders = [...message.matchAll(/created by \S*@(\S+) \(pid (\d+)\)/g)];
  return holders.length > 0 && holders.every(([, host, pid]) => host === hostname() && !isAlive(Number(pid)));
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it lives and is another user's.
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

const SHOWN_STEPS: ReadonlySet<string> = new Set(["create", "update", "replace", "delete"]);
const MACHINE_TYPES: ReadonlySet<string> = new Set([LOCAL_VM_TYPE]);

/** An engine event as a line for people, an error, or neither. */
export function readEvent(event: EngineEvent): { progress?: EngineProgress; error?: string } {
  const diagnostic = event.diagnosticEvent;
  if (diagnostic !== undefined) {
    const message = plainText(diagnostic.message);
    const resource = nameOf(diagnostic.urn);
    if (message === "") return {};
    if (diagnostic.severity === "error") {
      return { error: resource === "" ? message : `${resource}: ${message}` };
    }
    // The engine also sends lines for its own debugging, which the SDK's type does not list.
    const isForPeople = diagnostic.severity === "info" || diagnostic.severity === "warning";
    return isForPeople ? { progress: { resource, message } } : {};
  }
  const step = event.resourcePreEvent?.metadata ?? event.resOutputsEvent?.metadata;
  // Components and providers take no time to make; machines do.
  if (step === undefined || !SHOWN_STEPS.has(step.op) || !MACHINE_TYPES.has(step.type)) return {};
  const message = event.resourcePreEvent === undefined ? `${step.op} done` : `${step.op} begins`;
  return { progress: { resource: nameOf(step.urn), message } };
}

function nameOf(urn: string | undefined): string {
  return urn?.split("::").at(-1) ?? "";
}

/** The engine marks colours as <{%reset%}>. */
function plainText(message: string): string {
  return message.replaceAll(/<\{%.*?%\}>/g, "").trim();
}

function parseOutputs(outputs: OutputMap): LocalOutputs {
  const values = Object.fromEntries(
    Object.entries(outputs).map(([key, output]) => [key, output.value as unknown]),
  );
  return parseContract(outputsSchema, values, `outputs of stack ${STACK}`);
}
