import { spawn } from "node:child_process";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as grpc from "@grpc/grpc-js";
import callbackRpc from "@pulumi/pulumi/proto/callback_grpc_pb.js";
import callbackProto from "@pulumi/pulumi/proto/callback_pb.js";
import engineRpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";
import resourceRpc from "@pulumi/pulumi/proto/resource_grpc_pb.js";
import resourceProto from "@pulumi/pulumi/proto/resource_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";
import { type Decoded, UNKNOWN, UNKNOWN_SENTINEL, decode } from "./program-values.ts";

/**
 * The engine's side of a Pulumi program, without an engine: a gRPC ResourceMonitor and Engine that the program host
 * from the npm package talks to. It runs the real `stacks/index.ts` in a process of its own, with transforms called
 * back as the engine does and with real unknowns in a preview, which the SDK's own mocks cannot give.
 *
 * It records; it does not decide. State, diffs and replacement are the real engine's, and are tested with it.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const PROJECT = "bedplate";
const STACK_TYPE = "pulumi:pulumi:Stack";

/** A program takes 2 s alone and ten times that on a machine that is busy with virtual machines. */
export const PROGRAM_LIMIT_MILLIS = 120_000;

/** What the newest engine offers and the SDK asks for one by one. */
const FEATURES = new Set([
  "secrets",
  "resourceReferences",
  "outputValues",
  "deletedWith",
  "aliasSpecs",
  "transforms",
  "invokeTransforms",
]);

/** A resource as the program registered it, after transforms. */
export interface RegisteredResource {
  readonly urn: string;
  readonly type: string;
  readonly name: string;
  /** URN; empty for the stack itself. */
  readonly parent: string;
  readonly isCustom: boolean;
  readonly inputs: Record<string, Decoded>;
  /** `urn::id` of the explicit provider; empty for the default one. */
  readonly provider: string;
  readonly isProtected: boolean;
  readonly isRetainedOnDelete: boolean;
  readonly ignoreChanges: readonly string[];
  readonly dependencies: readonly string[];
}

export interface LogLine {
  readonly severity: "debug" | "info" | "warning" | "error";
  readonly message: string;
}

export interface ProgramRun {
  readonly exitCode: number;
  readonly resources: readonly RegisteredResource[];
  readonly outputs: Record<string, Decoded>;
  readonly logs: readonly LogLine[];
  readonly invokes: readonly { readonly token: string; readonly args: Record<string, Decoded> }[];
  /** Calls of a transform, all resources together. */
  readonly transformCalls: number;
  readonly stderr: string;
}

export interface ProgramArgs {
  readonly stack: string;
  /** @default - stacks/index.ts */
  readonly program?: string;
  /** Keys without the project's prefix take it. */
  readonly config?: Readonly<Record<string, string>>;
  readonly secretKeys?: readonly string[];
  /** True: a preview. False: an up in which every create succeeds. */
  readonly isPreview?: boolean;
  /** Answers a function call to a provider; undefined fails the call, so that no test depends on an unknown one. */
  readonly invoke?: (token: string, args: Record<string, Decoded>) => Record<string, unknown> | undefined;
  /** Answers a read of something that exists already, as another stack; undefined fails it. */
  readonly read?: (type: string, id: string) => Record<string, unknown> | undefined;
  /** Outputs of a created resource over its inputs, in an up. */
  readonly outputsOf?: (type: string, name: string) => Record<string, unknown>;
  /** Of outputs that are inputs as well, those of which a preview does not know all: what is made fills them in. */
  readonly filledInWhenMade?: (type: string) => readonly string[];
  readonly timeoutMillis?: number;
  readonly env?: Readonly<Record<string, string>>;
}

type Reply<T> = grpc.sendUnaryData<T>;
type Call<T> = grpc.ServerUnaryCall<T, unknown>;
type Request = InstanceType<typeof resourceProto.RegisterResourceRequest>;
type ReadRequest = InstanceType<typeof resourceProto.ReadResourceRequest>;
type Struct = InstanceType<typeof structProto.Struct>;

/** One run's record and the answers to the program's calls. */
class Recorder {
  readonly resources: RegisteredResource[] = [];
  readonly logs: LogLine[] = [];
  readonly invokes: { token: string; args: Record<string, Decoded> }[] = [];
  outputs: Record<string, Decoded> = {};
  transformCalls = 0;
  rootUrn = "";
  readonly #args: ProgramArgs;
  readonly #stackTransforms: Callback[] = [];
  readonly #transformsOf = new Map<string, readonly Callback[]>();
  readonly #parentOf = new Map<string, string>();
  readonly #clients = new Map<string, CallbacksClient>();

  constructor(args: ProgramArgs) {
    this.#args = args;
  }

  addStackTransform(callback: Callback): void {
    this.#stackTransforms.push(callback);
  }

  close(): void {
    for (const client of this.#clients.values()) client.close();
  }

  async register(request: Request): Promise<InstanceType<typeof resourceProto.RegisterResourceResponse>> {
    const parent = request.getParent() === "" ? this.rootUrn : request.getParent();
    const urn = this.#urnOf(request, parent);
    if (this.#parentOf.has(urn)) throw new Error(`Duplicate resource URN '${urn}'`);
    this.#parentOf.set(urn, parent);
    this.#transformsOf.set(urn, request.getTransformsList());
    let inputs = request.getObject() ?? new structProto.Struct();
    let options = optionsOf(request);
    for (const callback of this.#transformsFor(urn)) {
      const answer = await this.#callTransform(callback, request, inputs, options, parent);
      inputs = answer.getProperties() ?? inputs;
      options = answer.getOptions() ?? options;
    }
    this.resources.push({
      urn,
      type: request.getType(),
      name: request.getName(),
      parent,
      isCustom: request.getCustom(),
      inputs: decodeStruct(inputs),
      provider: options.getProvider(),
      isProtected: options.getProtect() ?? false,
      isRetainedOnDelete: options.getRetainOnDelete() ?? false,
      ignoreChanges: options.getIgnoreChangesList(),
      dependencies: request.getDependenciesList(),
    });
    return this.#answer(request, urn, inputs);
  }

  invoke(token: string, args: Record<string, Decoded>): Struct {
    this.invokes.push({ token, args });
    const answer = this.#args.invoke?.(token, args);
    if (answer === undefined) throw new Error(`The test has no answer for the call ${token}`);
    return toStruct(answer);
  }

  read(request: ReadRequest): InstanceType<typeof resourceProto.ReadResourceResponse> {
    const found = this.#args.read?.(request.getType(), request.getId());
    if (found === undefined) throw new Error(`The test has no ${request.getType()} "${request.getId()}"`);
    const response = new resourceProto.ReadResourceResponse();
    response.setUrn(this.#urnOf(request, request.getParent() === "" ? this.rootUrn : request.getParent()));
    response.setProperties(toStruct(found));
    return response;
  }

  #urnOf(request: Request | ReadRequest, parent: string): string {
    const parentType = parent === "" ? "" : (parent.split("::")[2] ?? "");
    const prefix = parentType === "" || parentType === STACK_TYPE ? "" : `${parentType}$`;
    return `urn:pulumi:${this.#args.stack}::${PROJECT}::${prefix}${request.getType()}::${request.getName()}`;
  }

  /** The resource's own transforms, then those of each ancestor, then the stack's: the engine's order. */
  #transformsFor(urn: string): readonly Callback[] {
    const found: Callback[] = [];
    for (let at: string | undefined = urn; at !== undefined && at !== ""; at = this.#parentOf.get(at)) {
      found.push(...(this.#transformsOf.get(at) ?? []));
    }
    return [...found, ...this.#stackTransforms];
  }

  async #callTransform(
    callback: Callback,
    request: Request,
    inputs: Struct,
    options: TransformOptions,
    parent: string,
  ): Promise<InstanceType<typeof resourceProto.TransformResponse>> {
    const message = new resourceProto.TransformRequest();
    message.setType(request.getType());
    message.setName(request.getName());
    message.setCustom(request.getCustom());
    message.setParent(parent);
    message.setProperties(inputs);
    message.setOptions(options);
    const invocation = new callbackProto.CallbackInvokeRequest();
    invocation.setToken(callback.getToken());
    invocation.setRequest(message.serializeBinary());
    const client = this.#clientFor(callback.getTarget());
    this.transformCalls += 1;
    const response = await new Promise<InstanceType<typeof callbackProto.CallbackInvokeResponse>>(
      (resolve, reject) => {
        client.invoke(invocation, (error, answer) => {
          if (error === null) resolve(answer);
          else reject(new Error(error.details));
        });
      },
    );
    return resourceProto.TransformResponse.deserializeBinary(response.getResponse_asU8());
  }

  #clientFor(target: string): CallbacksClient {
    const known = this.#clients.get(target);
    if (known !== undefined) return known;
    const client = new callbackRpc.CallbacksClient(target, grpc.credentials.createInsecure());
    this.#clients.set(target, client);
    return client;
  }

  /** In a preview a custom resource has no id yet and only its inputs are known: everything else is unknown. */
  #answer(request: Request, urn: string, inputs: Struct) {
    const response = new resourceProto.RegisterResourceResponse();
    response.setUrn(urn);
    const isPreview = this.#args.isPreview ?? true;
    if (request.getCustom() && !isPreview) response.setId(`${request.getName()}-id`);
    const filledIn = this.#args.filledInWhenMade?.(request.getType()) ?? [];
    const extra = isPreview
      ? Object.fromEntries(filledIn.map((key) => [key, UNKNOWN_SENTINEL]))
      : (this.#args.outputsOf?.(request.getType(), request.getName()) ?? {});
    response.setObject(
      request.getCustom()
        ? structProto.Struct.fromJavaScript({ ...inputs.toJavaScript(), ...extra } as JsonObject)
        : inputs,
    );
    return response;
  }
}

type JsonObject = Parameters<typeof structProto.Struct.fromJavaScript>[0];
type Callback = InstanceType<typeof callbackProto.Callback>;
type CallbacksClient = InstanceType<typeof callbackRpc.CallbacksClient>;
type TransformOptions = InstanceType<typeof resourceProto.TransformResourceOptions>;

function decodeStruct(struct: Struct | undefined): Record<string, Decoded> {
  return decode(struct === undefined ? {} : struct.toJavaScript()) as Record<string, Decoded>;
}

function toStruct(value: Record<string, unknown>): Struct {
  return structProto.Struct.fromJavaScript(value as JsonObject);
}

function optionsOf(request: Request): TransformOptions {
  const options = new resourceProto.TransformResourceOptions();
  options.setDependsOnList(request.getDependenciesList());
  if (request.hasProtect()) options.setProtect(request.getProtect() ?? false);
  if (request.hasRetainondelete()) options.setRetainOnDelete(request.getRetainondelete() ?? false);
  options.setIgnoreChangesList(request.getIgnorechangesList());
  options.setReplaceOnChangesList(request.getReplaceonchangesList());
  options.setVersion(request.getVersion());
  options.setProvider(request.getProvider());
  options.setDeletedWith(request.getDeletedwith());
  return options;
}

/** Turns an async answer into gRPC's callback form; a thrown error becomes the call's failure. */
function reply<T>(respond: Reply<T>, answer: () => T | Promise<T>): void {
  Promise.resolve()
    .then(answer)
    .then(
      (value) => respond(null, value),
      (cause: unknown) =>
        respond({
          code: grpc.status.UNKNOWN,
          details: cause instanceof Error ? cause.message : String(cause),
        }),
    );
}

function monitorService(recorder: Recorder) {
  return {
    supportsFeature: (
      call: Call<InstanceType<typeof resourceProto.SupportsFeatureRequest>>,
      done: Reply<unknown>,
    ) =>
      reply(done, () => {
        const response = new resourceProto.SupportsFeatureResponse();
        response.setHassupport(FEATURES.has(call.request.getId()));
        return response;
      }),
    registerResource: (call: Call<Request>, done: Reply<unknown>) =>
      reply(done, () => recorder.register(call.request)),
    readResource: (call: Call<ReadRequest>, done: Reply<unknown>) =>
      reply(done, () => recorder.read(call.request)),
    registerResourceOutputs: (
      call: Call<InstanceType<typeof resourceProto.RegisterResourceOutputsRequest>>,
      done: Reply<unknown>,
    ) =>
      reply(done, () => {
        if (call.request.getUrn() === recorder.rootUrn) {
          recorder.outputs = decodeStruct(call.request.getOutputs());
        }
        return new emptyProto.Empty();
      }),
    registerStackTransform: (call: Call<Callback>, done: Reply<unknown>) =>
      reply(done, () => {
        recorder.addStackTransform(call.request);
        return new emptyProto.Empty();
      }),
    invoke: (call: Call<InstanceType<typeof resourceProto.ResourceInvokeRequest>>, done: Reply<unknown>) =>
      reply(done, () => {
        const response = new resourceProto.ResourceInvokeResponse();
        response.setReturn(recorder.invoke(call.request.getTok(), decodeStruct(call.request.getArgs())));
        return response;
      }),
    registerPackage: (_call: unknown, done: Reply<unknown>) =>
      reply(done, () => {
        const response = new resourceProto.RegisterPackageResponse();
        response.setRef("package");
        return response;
      }),
    signalAndWaitForShutdown: (_call: unknown, done: Reply<unknown>) =>
      reply(done, () => new emptyProto.Empty()),
  };
}

function engineService(recorder: Recorder) {
  const severities = ["debug", "info", "warning", "error"] as const;
  return {
    log: (call: Call<InstanceType<typeof engineProto.LogRequest>>, done: Reply<unknown>) =>
      reply(done, () => {
        recorder.logs.push({
          severity: severities[call.request.getSeverity()] ?? "error",
          message: call.request.getMessage(),
        });
        return new emptyProto.Empty();
      }),
    getRootResource: (_call: unknown, done: Reply<unknown>) =>
      reply(done, () => {
        const response = new engineProto.GetRootResourceResponse();
        response.setUrn(recorder.rootUrn);
        return response;
      }),
    setRootResource: (
      call: Call<InstanceType<typeof engineProto.SetRootResourceRequest>>,
      done: Reply<unknown>,
    ) =>
      reply(done, () => {
        recorder.rootUrn = call.request.getUrn();
        return new engineProto.SetRootResourceResponse();
      }),
  };
}

async function listen(recorder: Recorder): Promise<{ server: grpc.Server; address: string }> {
  const server = new grpc.Server();
  server.addService(resourceRpc.ResourceMonitorService, monitorService(recorder));
  server.addService(engineRpc.EngineService, engineService(recorder));
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  return { server, address: `127.0.0.1:${port}` };
}

/** Runs the project's program for one stack and returns what it registered, said and returned. */
export async function runProgram(args: ProgramArgs): Promise<ProgramRun> {
  const recorder = new Recorder(args);
  const { server, address } = await listen(recorder);
  try {
    const { exitCode, stderr } = await spawnProgram(args, address);
    return {
      exitCode,
      resources: recorder.resources.toSorted((a, b) => (a.urn < b.urn ? -1 : 1)),
      outputs: recorder.outputs,
      logs: recorder.logs,
      invokes: recorder.invokes,
      transformCalls: recorder.transformCalls,
      stderr,
    };
  } finally {
    recorder.close();
    server.forceShutdown();
  }
}

function spawnProgram(args: ProgramArgs, address: string): Promise<{ exitCode: number; stderr: string }> {
  const config = Object.fromEntries(
    Object.entries(args.config ?? {}).map(([key, value]) => [
      key.includes(":") ? key : `${PROJECT}:${key}`,
      value,
    ]),
  );
  const secretKeys = (args.secretKeys ?? []).map((key) => (key.includes(":") ? key : `${PROJECT}:${key}`));
  const child = spawn(
    process.execPath,
    [
      path.join(REPOSITORY, "node_modules/@pulumi/pulumi/cmd/run"),
      `--monitor=${address}`,
      `--engine=${address}`,
      `--project=${PROJECT}`,
      `--stack=${args.stack}`,
      `--pwd=${REPOSITORY}`,
      `--root-directory=${REPOSITORY}`,
      "--parallel=16",
      ...((args.isPreview ?? true) ? ["--dry-run"] : []),
      args.program ?? "stacks/index.ts",
    ],
    {
      cwd: REPOSITORY,
      stdio: ["ignore", "ignore", "pipe"],
      env: {
        ...process.env,
        ...args.env,
        PULUMI_NODEJS_TYPESCRIPT: "false",
        PULUMI_CONFIG: JSON.stringify(config),
        PULUMI_CONFIG_SECRET_KEYS: JSON.stringify(secretKeys),
      },
    },
  );
  return bounded(child, args.timeoutMillis ?? PROGRAM_LIMIT_MILLIS);
}

async function bounded(
  child: ReturnType<typeof spawn>,
  timeoutMillis: number,
): Promise<{ exitCode: number; stderr: string }> {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const exit = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code) => resolve(code ?? -1));
  });
  const timer = new AbortController();
  const late = sleep(timeoutMillis, "late" as const, { signal: timer.signal }).catch(() => "done" as const);
  const first = await Promise.race([exit, late]);
  timer.abort();
  if (typeof first === "string") {
    child.kill("SIGKILL");
    await exit;
    throw new Error(`The program did not end within ${timeoutMillis} ms: ${stderr}`);
  }
  return { exitCode: first, stderr };
}

export { UNKNOWN };
