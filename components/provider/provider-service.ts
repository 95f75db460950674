import * as grpc from "@grpc/grpc-js";
import pluginProto from "@pulumi/pulumi/proto/plugin_pb.js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import providerProto from "@pulumi/pulumi/proto/provider_pb.js";
import statusProto from "@pulumi/pulumi/proto/status_pb.js";
import type { CheckFailure } from "@pulumi/pulumi/provider/provider.js";
import anyProto from "google-protobuf/google/protobuf/any_pb.js";
import emptyProto from "google-protobuf/google/protobuf/empty_pb.js";
import structProto from "google-protobuf/google/protobuf/struct_pb.js";
import type { BedplateProvider, Properties, ResourceDiff } from "./bedplate-provider.ts";
import type { ComponentProcess } from "./component-process.ts";
import { withSecretMarksOf, withoutSecretMarks } from "./secret-values.ts";

/**
 * The provider's side of Pulumi's provider protocol, over the SDK's own stubs. The SDK's server for providers written in
 * TypeScript leaves out what people are shown of a diff, property by property, and prints a stack trace of ours for every
 * host that does not answer.
 *
 * @see https://github.com/pulumi/pulumi/blob/v3.259.0/proto/pulumi/provider.proto
 */

type Struct = InstanceType<typeof structProto.Struct>;
type JsonObject = Parameters<typeof structProto.Struct.fromJavaScript>[0];

/** What a resource that was made but did not get ready throws: the engine keeps it, marked so. */
interface InitFailure extends Error {
  readonly id: string;
  readonly properties: Properties;
  readonly reasons: readonly string[];
}

const DIFF_KIND = {
  add: providerProto.PropertyDiff.Kind.ADD,
  delete: providerProto.PropertyDiff.Kind.DELETE,
  update: providerProto.PropertyDiff.Kind.UPDATE,
} as const;

/** What the package has beside its custom resources, for programs in other languages. */
export interface PackageParts {
  /** JSON, as `packageSchema()` gives it. */
  readonly schema: string;
  readonly components: ComponentProcess;
}

/** Serves the provider on a free port of loopback and returns the port. */
export async function serveProvider(provider: BedplateProvider, parts: PackageParts): Promise<number> {
  // Inputs of a thousand hosts in one call are above gRPC's 4 MB.
  const server = new grpc.Server({
    "grpc.max_receive_message_length": -1,
    "grpc.max_send_message_length": -1,
  });
  server.addService(providerRpc.ResourceProviderService, serviceOf(provider, parts));
  return await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
      if (error === null) resolve(port);
      else reject(error);
    });
  });
}

function serviceOf(
  provider: BedplateProvider,
  { schema, components }: PackageParts,
): grpc.UntypedServiceImplementation {
  return {
    getPluginInfo: answering(() => {
      const info = new pluginProto.PluginInfo();
      info.setVersion(provider.version);
      return info;
    }),
    getSchema: answering(() => {
      const response = new providerProto.GetSchemaResponse();
      response.setSchema(schema);
      return response;
    }),
    // Resources arrive as plain values.
    configure: answering(() => {
      const response = new providerProto.ConfigureResponse();
      // Without it the engine has no component constructed here.
      response.setAcceptsecrets(true);
      return response;
    }),
    check: answering(async (request: InstanceType<typeof providerProto.CheckRequest>) => {
      const news = request.getNews();
      const { inputs, failures } = await provider.check(request.getUrn(), fromStruct(news));
      const response = new providerProto.CheckResponse();
      response.setInputs(toStruct(inputs as Properties, news));
      response.setFailuresList((failures ?? []).map(toFailure));
      return response;
    }),
    diff: answering((request: InstanceType<typeof providerProto.DiffRequest>) =>
      toDiff(provider.diff(request.getUrn(), fromStruct(request.getOlds()), fromStruct(request.getNews()))),
    ),
    create: answering(
      async (request: InstanceType<typeof providerProto.CreateRequest>) => {
        const inputs = request.getProperties();
        const { id, outs } = await provider.create(request.getUrn(), fromStruct(inputs));
        const response = new providerProto.CreateResponse();
        response.setId(id);
        response.setProperties(toStruct(outs as Properties, inputs));
        return response;
      },
      (request) => request.getProperties(),
    ),
    read: answering(async (request: InstanceType<typeof providerProto.ReadRequest>) => {
      const state = request.getProperties();
      const { id, props, inputs } = await provider.read(request.getId(), request.getUrn(), fromStruct(state));
      const response = new providerProto.ReadResponse();
      if (id !== undefined) response.setId(id);
      response.setProperties(toStruct(props as Properties | undefined, state));
      if (inputs !== undefined) response.setInputs(toStruct(inputs as Properties, state));
      return response;
    }),
    update: answering(
      async (request: InstanceType<typeof providerProto.UpdateRequest>) => {
        const news = request.getNews();
        const { outs } = await provider.update(
          request.getUrn(),
          fromStruct(request.getOlds()),
          fromStruct(news),
        );
        const response = new providerProto.UpdateResponse();
        response.setProperties(toStruct(outs as Properties, news));
        return response;
      },
      (request) => request.getNews(),
    ),
    delete: answering(async (request: InstanceType<typeof providerProto.DeleteRequest>) => {
      await provider.delete(request.getUrn(), fromStruct(request.getProperties()));
      return new emptyProto.Empty();
    }),
    invoke: answering(async (request: InstanceType<typeof providerProto.InvokeRequest>) => {
      const response = new providerProto.InvokeResponse();
      response.setReturn(toStruct(await provider.invoke(request.getTok(), fromStruct(request.getArgs()))));
      return response;
    }),
    construct: answering((request: InstanceType<typeof providerProto.ConstructRequest>) =>
      components.construct(request),
    ),
    cancel: answering(() => {
      provider.cancel();
      return new emptyProto.Empty();
    }),
    attach: answering(() => new emptyProto.Empty()),
  };
}

/**
 * One method of the protocol from a function; what it throws is the call's failure.
 *
 * @param inputsOf of a resource that may be left half made, whose secrets are as secret then
 */
function answering<Request, Response>(
  answer: (request: Request) => Response | Promise<Response>,
  inputsOf: (request: Request) => Struct | undefined = () => undefined,
): grpc.handleUnaryCall<Request, Response> {
  return (call, respond) => {
    void (async () => await answer(call.request))().then(
      (response) => respond(null, response),
      (error: unknown) => respond(toServiceError(error, inputsOf(call.request))),
    );
  };
}

function toServiceError(error: unknown, inputs: Struct | undefined): Partial<grpc.StatusObject> {
  // A component's process has said it already, with what is wrong with which input.
  if (isServiceError(error)) return { code: error.code, details: error.details, metadata: error.metadata };
  const details = error instanceof Error ? error.message : String(error);
  const code = grpc.status.UNKNOWN;
  if (!isInitFailure(error)) return { code, details };
  const failure = new providerProto.ErrorResourceInitFailed();
  failure.setId(error.id);
  failure.setProperties(toStruct(error.properties, inputs));
  failure.setReasonsList([...error.reasons]);
  const packed = new anyProto.Any();
  packed.pack(failure.serializeBinary(), "pulumirpc.ErrorResourceInitFailed");
  const status = new statusProto.Status();
  status.setCode(code);
  status.setMessage(details);
  status.addDetails(packed);
  const metadata = new grpc.Metadata();
  // gRPC's own key for an error with structure.
  metadata.add("grpc-status-details-bin", Buffer.from(status.serializeBinary()));
  return { code, details, metadata };
}

function isServiceError(error: unknown): error is grpc.ServiceError {
  return error instanceof Error && "code" in error && "details" in error && "metadata" in error;
}

function isInitFailure(error: unknown): error is InitFailure {
  return error instanceof Error && "id" in error && "properties" in error && "reasons" in error;
}

function toDiff(diff: ResourceDiff): InstanceType<typeof providerProto.DiffResponse> {
  const { DIFF_NONE, DIFF_SOME, DIFF_UNKNOWN } = providerProto.DiffResponse.DiffChanges;
  const response = new providerProto.DiffResponse();
  response.setChanges(diff.changes === undefined ? DIFF_UNKNOWN : diff.changes ? DIFF_SOME : DIFF_NONE);
  response.setReplacesList([...(diff.replaces ?? [])]);
  response.setDeletebeforereplace(diff.deleteBeforeReplace ?? false);
  if (diff.details !== undefined) {
    response.setHasdetaileddiff(true);
    for (const [path, kind] of Object.entries(diff.details)) {
      const property = new providerProto.PropertyDiff();
      property.setKind(DIFF_KIND[kind]);
      response.getDetaileddiffMap().set(path, property);
    }
  }
  return response;
}

function toFailure({ property, reason }: CheckFailure): InstanceType<typeof providerProto.CheckFailure> {
  const failure = new providerProto.CheckFailure();
  failure.setProperty(property);
  failure.setReason(reason);
  return failure;
}

function fromStruct(struct: Struct | undefined): Properties {
  return withoutSecretMarks(struct?.toJavaScript() ?? {}) as Properties;
}

/**
 * Undefined values are absent; protobuf would make null of them.
 *
 * @param inputs what is secret there is secret in the answer
 */
function toStruct(properties: Properties = {}, inputs?: Struct): Struct {
  const marked = withSecretMarksOf(inputs?.toJavaScript() ?? {}, properties);
  return structProto.Struct.fromJavaScript(JSON.parse(JSON.stringify(marked)) as JsonObject);
}
