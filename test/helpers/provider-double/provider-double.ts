import { createHash } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import * as grpc from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";
import { type InputFault, UNKNOWN_VALUE, type Values, checkInputs, isObject } from "./check-inputs.ts";
import { creationRefusal, deletionRefusal } from "./cloud-refusals.ts";
import { type ResourceShape, SdkShapes, type Shape } from "./sdk-shapes.ts";
import { factsOf } from "./type-facts.ts";

/**
 * A double of a cloud's Pulumi provider: it speaks the provider protocol with the real engine and stands in for the cloud
 * behind it. Inputs are checked against the provider's own declarations; names that nobody gave are made; what is not known
 * before a create is unknown in a preview; a change updates or replaces as the provider's does; a resource that another one
 * refers to cannot be deleted, and no two have one identity, as in the cloud.
 *
 * What it cannot tell: whether the cloud would take a value that has the right type.
 */

export interface DoubledResource {
  readonly type: string;
  /** Of the Pulumi resource. */
  readonly name: string;
  readonly id: string;
  readonly inputs: Values;
  readonly outputs: Values;
}

export interface DoubleCall {
  readonly operation: "create" | "update" | "delete" | "read";
  readonly type: string;
  readonly name: string;
}

export interface ProviderDoubleArgs {
  readonly packageName: "aws" | "kubernetes";
  /** Answers a function of the provider; undefined fails the call, so that no test depends on an unknown one. */
  readonly invoke?: (token: string, args: Values) => Values | undefined;
  /** What a controller adds to a resource once it is made, which the provider's types do not say. */
  readonly adds?: (type: string, inputs: Values) => Values;
  /** What the cloud holds already, as an earlier run of a double left it. */
  readonly resources?: readonly DoubledResource[];
}

const ACCOUNT = "123456789012";
/** Outputs that a change of the resource moves. */
const MOVED_BY_UPDATES: ReadonlySet<string> = new Set([
  "latestVersion",
  "defaultVersion",
  "tagsAll",
  "etag",
  "versionId",
]);
type Request = InstanceType<typeof providerProto.CreateRequest>;
type Struct = InstanceType<typeof structProto.Struct>;
type JsonObject = Parameters<typeof structProto.Struct.fromJavaScript>[0];

export class ProviderDouble {
  readonly packageName: string;
  readonly calls: DoubleCall[] = [];
  readonly #shapes: SdkShapes;
  readonly #args: ProviderDoubleArgs;
  readonly #cloud = new Map<string, DoubledResource>();
  readonly #failures: { readonly type: string; readonly operation: string; readonly message: string }[] = [];
  #config: Values = {};
  #made = 0;
  #server: grpc.Server | undefined;
  #port = 0;

  constructor(args: ProviderDoubleArgs) {
    this.packageName = args.packageName;
    this.#args = args;
    this.#shapes = new SdkShapes(args.packageName);
    for (const resource of args.resources ?? []) this.#cloud.set(keyOf(resource.type, resource.id), resource);
  }

  /** Serves on a free port of loopback. */
  async start(): Promise<void> {
    const server = new grpc.Server({
      "grpc.max_receive_message_length": -1,
      "grpc.max_send_message_length": -1,
    });
    server.addService(providerRpc.ResourceProviderService, this.#service());
    this.#server = server;
    this.#port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
        if (error === null) resolve(port);
        else reject(error);
      });
    });
  }

  stop(): void {
    this.#server?.forceShutdown();
  }

  /** For the engine's PULUMI_DEBUG_PROVIDERS. */
  get address(): string {
    return `${this.packageName}:${this.#port}`;
  }

  /** What the cloud holds. */
  get resources(): readonly DoubledResource[] {
    return [...this.#cloud.values()].toSorted((a, b) => (keyOf(a.type, a.id) < keyOf(b.type, b.id) ? -1 : 1));
  }

  /** The one resource of a type, and of a name where there are several. */
  find(type: string, name?: string): DoubledResource {
    const found = this.resources.filter(
      (one) => one.type === type && (name === undefined || one.name === name),
    );
    const [only] = found;
    if (only === undefined || found.length > 1)
      throw new RangeError(`Found ${found.length} of ${type} ${name ?? ""}`);
    return only;
  }

  /** Somebody changes a resource by hand, in the cloud's console. */
  drift(type: string, name: string, change: Values): void {
    const resource = this.find(type, name);
    this.#cloud.set(keyOf(type, resource.id), {
      ...resource,
      inputs: { ...resource.inputs, ...change },
      outputs: { ...resource.outputs, ...change },
    });
  }

  /** Somebody deletes a resource by hand. */
  lose(type: string, name: string): void {
    this.#cloud.delete(keyOf(type, this.find(type, name).id));
  }

  /** The next such call fails, as the cloud's do. */
  failNext(type: string, operation: "create" | "update" | "delete", message: string): void {
    this.#failures.push({ type, operation, message });
  }

  #service(): grpc.UntypedServiceImplementation {
    return {
      attach: answering(() => new emptyProto.Empty()),
      cancel: answering(() => new emptyProto.Empty()),
      getPluginInfo: answering(() => {
        const info = new pluginProto.PluginInfo();
        info.setVersion(this.#shapes.version);
        return info;
      }),
      checkConfig: answering((request: InstanceType<typeof providerProto.CheckRequest>) => {
        const response = new providerProto.CheckResponse();
        response.setInputs(request.getNews());
        return response;
      }),
      diffConfig: answering((request: InstanceType<typeof providerProto.DiffRequest>) => {
        const { DIFF_NONE, DIFF_SOME } = providerProto.DiffResponse.DiffChanges;
        const response = new providerProto.DiffResponse();
        const isSame = isDeepStrictEqual(fromStruct(request.getOldInputs()), fromStruct(request.getNews()));
        response.setChanges(isSame ? DIFF_NONE : DIFF_SOME);
        return response;
      }),
      configure: answering((request: InstanceType<typeof providerProto.ConfigureRequest>) => {
        this.#config = fromStruct(request.getArgs());
        const response = new providerProto.ConfigureResponse();
        response.setSupportspreview(true);
        return response;
      }),
      invoke: answering((request: InstanceType<typeof providerProto.InvokeRequest>) => {
        const answer = this.#args.invoke?.(request.getTok(), fromStruct(request.getArgs()));
        if (answer === undefined)
          throw new Error(`The double has no answer for the call ${request.getTok()}`);
        const response = new providerProto.InvokeResponse();
        response.setReturn(toStruct(answer));
        return response;
      }),
      check: answering((request: InstanceType<typeof providerProto.CheckRequest>) => {
        const shape = this.#shapes.resource(typeOf(request.getUrn()));
        const given = fromStruct(request.getNews());
        const inputs = this.#withNames(request, shape, given);
        const response = new providerProto.CheckResponse();
        response.setInputs(toStruct(inputs));
        response.setFailuresList(checkInputs(inputs, shape.inputs, { isOpen: shape.isOpen }).map(toFailure));
        return response;
      }),
      diff: answering((request: InstanceType<typeof providerProto.DiffRequest>) => this.#diff(request)),
      create: answering((request: Request) => this.#create(request)),
      read: answering((request: InstanceType<typeof providerProto.ReadRequest>) => {
        const found = this.#cloud.get(keyOf(typeOf(request.getUrn()), request.getId()));
        this.#note("read", request.getUrn());
        const response = new providerProto.ReadResponse();
        if (found === undefined) return response;
        response.setId(found.id);
        response.setInputs(toStruct(found.inputs));
        response.setProperties(toStruct(found.outputs));
        return response;
      }),
      update: answering((request: InstanceType<typeof providerProto.UpdateRequest>) => {
        const type = typeOf(request.getUrn());
        const inputs = fromStruct(request.getNews());
        const response = new providerProto.UpdateResponse();
        const olds = fromStruct(request.getOlds());
        if (request.getPreview()) {
          response.setProperties(
            toStruct(this.#outputsOf(request.getUrn(), inputs, { olds, isPreview: true })),
          );
          return response;
        }
        this.#note("update", request.getUrn());
        const found = this.#cloud.get(keyOf(type, request.getId()));
        if (found === undefined) throw new Error(`NotFound: ${type} ${request.getId()}`);
        const outputs = this.#outputsOf(request.getUrn(), inputs, { olds, isPreview: false });
        this.#cloud.set(keyOf(type, found.id), { ...found, inputs, outputs });
        response.setProperties(toStruct(outputs));
        return response;
      }),
      delete: answering((request: InstanceType<typeof providerProto.DeleteRequest>) => {
        const type = typeOf(request.getUrn());
        this.#note("delete", request.getUrn());
        const found = this.#cloud.get(keyOf(type, request.getId()));
        const refusal = found === undefined ? undefined : deletionRefusal(found, this.resources);
        if (refusal !== undefined) throw new Error(refusal);
        this.#cloud.delete(keyOf(type, request.getId()));
        if (type === "kubernetes:core/v1:Namespace") this.#emptyNamespace(request.getId());
        return new emptyProto.Empty();
      }),
    };
  }

  /** What stands in a namespace goes with it. */
  #emptyNamespace(namespace: string): void {
    for (const { type, id, inputs } of this.resources) {
      const metadata = isObject(inputs["metadata"]) ? inputs["metadata"] : {};
      if (metadata["namespace"] === namespace) this.#cloud.delete(keyOf(type, id));
    }
  }

  /** Counts the call, and fails it where a test said so. */
  #note(operation: DoubleCall["operation"], urn: string): void {
    const type = typeOf(urn);
    this.calls.push({ operation, type, name: nameOf(urn) });
    const index = this.#failures.findIndex((one) => one.type === type && one.operation === operation);
    const [failure] = index === -1 ? [] : this.#failures.splice(index, 1);
    if (failure !== undefined) throw new Error(failure.message);
  }

  /** The inputs with the names that nobody gave: an old one is kept, a new one ends in hexadecimal digits. */
  #withNames(
    request: InstanceType<typeof providerProto.CheckRequest>,
    shape: ResourceShape,
    given: Values,
  ): Values {
    const olds = fromStruct(request.getOlds());
    const suffix = createHash("sha256").update(request.getRandomseed_asU8()).digest("hex").slice(0, 7);
    const made = `${nameOf(request.getUrn())}-${suffix}`;
    if (this.packageName === "kubernetes") {
      const metadata = isObject(given["metadata"]) ? given["metadata"] : {};
      const oldMetadata = isObject(olds["metadata"]) ? olds["metadata"] : {};
      return { ...given, metadata: { ...metadata, name: metadata["name"] ?? oldMetadata["name"] ?? made } };
    }
    const { id } = factsOf(typeOf(request.getUrn()));
    const naming = new Set(["name", ...("inputs" in id ? id.inputs.slice(-1) : [])]);
    const names = [...naming].filter(
      (name) =>
        shape.inputs.get(name)?.isRequired === false &&
        given[name] === undefined &&
        given[`${name}Prefix`] === undefined,
    );
    return { ...given, ...Object.fromEntries(names.map((name) => [name, olds[name] ?? made])) };
  }

  #diff(request: InstanceType<typeof providerProto.DiffRequest>) {
    const { DIFF_NONE, DIFF_SOME } = providerProto.DiffResponse.DiffChanges;
    const Kind = providerProto.PropertyDiff.Kind;
    const olds = withoutDefaults(fromStruct(request.getOldInputs()));
    const news = withoutDefaults(fromStruct(request.getNews()));
    const type = typeOf(request.getUrn());
    const facts = factsOf(type, {
      isSecretMutable: this.#config["enableSecretMutable"] === "true",
    });
    const response = new providerProto.DiffResponse();
    response.setHasdetaileddiff(true);
    const changed = changedPaths(olds, news, "").filter(
      (path) => !request.getIgnorechangesList().includes(path),
    );
    const replaces: string[] = [];
    for (const path of changed) {
      const plain = path.replaceAll(/\[[^\]]*\]/g, "");
      const isReplaced = facts.replacedBy.some(
        (one) => plain === one || plain.startsWith(`${one}.`) || one.startsWith(`${plain}.`),
      );
      if (isReplaced) replaces.push(path);
      const property = new providerProto.PropertyDiff();
      property.setKind(isReplaced ? Kind.UPDATE_REPLACE : Kind.UPDATE);
      property.setInputdiff(true);
      response.getDetaileddiffMap().set(path, property);
    }
    response.setChanges(changed.length === 0 ? DIFF_NONE : DIFF_SOME);
    response.setReplacesList(replaces);
    // Two cannot bear one identity: where it stays, the old one goes first. A name that nobody gave is made anew.
    const { id } = facts;
    const isMade = (value: unknown) => /-[0-9a-f]{7}$/.test(textOf(value));
    const keepsIdentity =
      "inputs" in id
        ? id.inputs.every((name) => isDeepStrictEqual(olds[name], news[name]) && !isMade(news[name]))
        : this.packageName === "kubernetes" && this.#newId(type, olds) === this.#newId(type, news);
    response.setDeletebeforereplace(replaces.length > 0 && keepsIdentity);
    return response;
  }

  #create(request: Request) {
    const urn = request.getUrn();
    const type = typeOf(urn);
    const inputs = fromStruct(request.getProperties());
    const response = new providerProto.CreateResponse();
    if (request.getPreview()) {
      response.setProperties(toStruct(this.#outputsOf(urn, inputs, { olds: {}, isPreview: true })));
      return response;
    }
    this.#note("create", urn);
    const id = this.#newId(type, inputs);
    if (this.#cloud.has(keyOf(type, id))) throw new Error(`AlreadyExists: ${type} ${id}`);
    const refusal = creationRefusal({ type, inputs }, this.resources);
    if (refusal !== undefined) throw new Error(refusal);
    const outputs = this.#outputsOf(urn, inputs, { olds: {}, isPreview: false, id });
    this.#cloud.set(keyOf(type, id), { type, name: nameOf(urn), id, inputs, outputs });
    response.setId(id);
    response.setProperties(toStruct(outputs));
    return response;
  }

  #newId(type: string, inputs: Values): string {
    if (type.startsWith("kubernetes:")) {
      const metadata = isObject(inputs["metadata"]) ? inputs["metadata"] : {};
      return ["namespace", "name"]
        .map((key) => textOf(metadata[key]))
        .filter((part) => part !== "")
        .join("/");
    }
    const { id } = factsOf(type);
    if ("inputs" in id) return id.inputs.map((name) => textOf(inputs[name])).join(":");
    this.#made += 1;
    return id.prefix + createHash("sha256").update(`${type} ${this.#made}`).digest("hex").slice(0, 17);
  }

  /** What the resource has: what was asked for, and what the cloud adds, which a preview does not know. */
  #outputsOf(
    urn: string,
    inputs: Values,
    made: { readonly olds: Values; readonly isPreview: boolean; readonly id?: string },
  ): Values {
    const type = typeOf(urn);
    const outputs: Record<string, unknown> = { ...inputs };
    delete outputs["__defaults"];
    for (const [name, { shape, isRequired }] of this.#shapes.resource(type).outputs) {
      const old = made.olds[name];
      if (name in inputs) outputs[name] = completed(inputs[name], shape, { ...made, name, old });
      if (name in inputs || !isRequired) continue;
      if (old !== undefined && !MOVED_BY_UPDATES.has(name)) outputs[name] = old;
      else if (made.isPreview) outputs[name] = UNKNOWN_VALUE;
      else outputs[name] = this.#computed(type, name, shape, { inputs, old, id: made.id ?? "" });
    }
    if (this.packageName === "kubernetes" && isObject(inputs["metadata"])) {
      outputs["metadata"] = {
        ...inputs["metadata"],
        uid: made.isPreview ? UNKNOWN_VALUE : uuidOf(urn),
      };
    }
    return made.isPreview ? outputs : { ...outputs, ...this.#args.adds?.(type, inputs) };
  }

  #computed(
    type: string,
    name: string,
    shape: Shape,
    at: { readonly inputs: Values; readonly old: unknown; readonly id: string },
  ): unknown {
    const service = type.split(":")[1]?.split("/")[0] ?? "";
    const region = textOf(this.#config["region"]);
    switch (name) {
      case "arn":
        return service === "s3"
          ? `arn:aws:s3:::${at.id}`
          : `arn:aws:${service}:${region}:${ACCOUNT}:${at.id}`;
      case "region":
        return region;
      case "tagsAll":
        return { ...this.#defaultTags(), ...(isObject(at.inputs["tags"]) ? at.inputs["tags"] : {}) };
      case "endpoint":
        return `https://${at.id}.gr7.${region}.eks.amazonaws.com`;
      case "latestVersion":
      case "defaultVersion":
        return typeof at.old === "number" ? at.old + 1 : 1;
      default:
        return emptyOf(shape, `${name}-of-${at.id}`);
    }
  }

  /** The engine hands a provider's settings over as JSON text, one by one. */
  #defaultTags(): Values {
    const text = this.#config["defaultTags"];
    const parsed: unknown = typeof text === "string" ? JSON.parse(text) : text;
    return isObject(parsed) && isObject(parsed["tags"]) ? parsed["tags"] : {};
  }
}

/** Something of this type, for an output of which nothing more is known. */
function emptyOf(shape: Shape, text: string): unknown {
  switch (shape.kind) {
    case "number":
      return 0;
    case "boolean":
      return false;
    case "literal":
      return shape.value;
    case "enum":
      return shape.values[0];
    case "list":
      return [];
    case "map":
      return {};
    case "object":
      return Object.fromEntries(
        [...shape.properties()]
          .filter(([, { isRequired }]) => isRequired)
          .map(([name, property]) => [name, emptyOf(property.shape, name)]),
      );
    default:
      return text;
  }
}

/**
 * Settings as they come back: with what the cloud adds within them, as EKS its own security group to those of a cluster.
 * A list that was given is returned as it is.
 */
function completed(
  given: unknown,
  shape: Shape,
  made: { readonly name: string; readonly old: unknown; readonly isPreview: boolean; readonly id?: string },
): unknown {
  if (shape.kind !== "object" || !isObject(given)) return given;
  const old = isObject(made.old) ? made.old : {};
  const added = [...shape.properties()]
    .filter(([name, { isRequired }]) => isRequired && !(name in given))
    .map(([name, property]) => [
      name,
      old[name] ??
        (made.isPreview ? UNKNOWN_VALUE : emptyOf(property.shape, `${name}-of-${made.id ?? made.name}`)),
    ]);
  return { ...given, ...Object.fromEntries(added) };
}

/** Paths at which two values differ, as Pulumi writes them; a list of another length differs as a whole. */
export function changedPaths(olds: unknown, news: unknown, at: string): readonly string[] {
  if (isDeepStrictEqual(olds, news)) return [];
  if (isObject(olds) && isObject(news)) {
    const names = [...new Set([...Object.keys(olds), ...Object.keys(news)])].toSorted();
    return names.flatMap((name) => changedPaths(olds[name], news[name], at === "" ? name : `${at}.${name}`));
  }
  if (Array.isArray(olds) && Array.isArray(news) && olds.length === news.length) {
    return news.flatMap((value, index) => changedPaths(olds[index], value, `${at}[${index}]`));
  }
  return [at];
}

function withoutDefaults(values: Values): Values {
  const { __defaults: _, ...rest } = values;
  return rest;
}

/** A value that has to be text: a test that has it otherwise gets nothing, and a fault of its inputs. */
function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function keyOf(type: string, id: string): string {
  return `${type} ${id}`;
}

function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function uuidOf(text: string): string {
  const hex = createHash("sha256").update(text).digest("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20, 32)].join(
    "-",
  );
}

function fromStruct(struct: Struct | undefined): Values {
  return struct === undefined ? {} : struct.toJavaScript();
}

/** Undefined values are absent; protobuf would make null of them. */
function toStruct(values: Values): Struct {
  return structProto.Struct.fromJavaScript(JSON.parse(JSON.stringify(values)) as JsonObject);
}

function toFailure({ property, reason }: InputFault) {
  const failure = new providerProto.CheckFailure();
  failure.setProperty(property);
  failure.setReason(reason);
  return failure;
}

/** One method of the protocol from a function; what it throws is the call's failure. */
function answering<Asked, Answer>(answer: (request: Asked) => Answer): grpc.handleUnaryCall<Asked, Answer> {
  return (call, respond) => {
    try {
      respond(null, answer(call.request));
    } catch (error) {
      respond({ code: grpc.status.UNKNOWN, details: error instanceof Error ? error.message : String(error) });
    }
  };
}
