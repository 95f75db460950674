import * as grpc from "@grpc/grpc-js";
import engineRpc from "@pulumi/pulumi/proto/engine_grpc_pb.js";
import engineProto from "@pulumi/pulumi/proto/engine_pb.js";

/** Lines for the engine's display, each at its resource. A status stands for a moment; a message and a warning stay. */
export interface EngineLog {
  status(urn: string, message: string): void;
  message(urn: string, message: string): void;
  warning(urn: string, message: string): void;
}

/**
 * The engine's log at an address; without one (a provider that was started by hand) the lines go to standard error, as
 * standard output belongs to the protocol.
 */
export function openEngineLog(address: string | undefined): EngineLog {
  if (address === undefined) {
    const print = (urn: string, message: string) => void process.stderr.write(`${urn}: ${message}\n`);
    return { status: print, message: print, warning: print };
  }
  const client = new engineRpc.EngineClient(address, grpc.credentials.createInsecure());
  const { INFO, WARNING } = engineProto.LogSeverity;
  const send = (urn: string, message: string, isEphemeral: boolean, severity = INFO): void => {
    const request = new engineProto.LogRequest();
    request.setSeverity(severity);
    request.setUrn(urn);
    request.setMessage(message);
    request.setEphemeral(isEphemeral);
    client.log(request, (error) => {
      // Progress is for people who watch: an engine that is gone already misses none of it.
      if (error !== null) process.stderr.write(`${urn}: ${message} (not shown: ${error.message})\n`);
    });
  };
  return {
    status: (urn, message) => send(urn, message, true),
    message: (urn, message) => send(urn, message, false),
    warning: (urn, message) => send(urn, message, false, WARNING),
  };
}
