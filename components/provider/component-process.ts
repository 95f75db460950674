import { spawn } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import providerRpc from "@pulumi/pulumi/proto/provider_grpc_pb.js";
import type providerProto from "@pulumi/pulumi/proto/provider_pb.js";

type ConstructRequest = InstanceType<typeof providerProto.ConstructRequest>;
type ConstructResponse = InstanceType<typeof providerProto.ConstructResponse>;

/**
 * Constructs components in a process of their own, in which the SDK's server for providers runs. Only that server may
 * set up the SDK for a construct, and it takes over the process: its error handlers, its output. The process begins with
 * the first component, and ends with this one.
 */
export class ComponentProcess {
  readonly #engineAddress: string | undefined;
  #client: Promise<InstanceType<typeof providerRpc.ResourceProviderClient>> | undefined;

  constructor(engineAddress: string | undefined) {
    this.#engineAddress = engineAddress;
  }

  /** @throws {grpc.ServiceError} as the component's server answered, with what it says of each input */
  async construct(request: ConstructRequest): Promise<ConstructResponse> {
    this.#client ??= startHost(this.#engineAddress);
    const client = await this.#client;
    return await new Promise((resolve, reject) => {
      client.construct(request, (error, response) => {
        if (error === null) resolve(response);
        else reject(error);
      });
    });
  }
}

async function startHost(engineAddress: string | undefined) {
  if (engineAddress === undefined) throw new Error("Cannot construct a component: no engine's address");
  const host = spawn(
    process.execPath,
    [path.join(import.meta.dirname, "component-host.ts"), engineAddress],
    // Standard output belongs to the protocol: after the port, lines of the host are this process's diagnostics.
    { stdio: ["ignore", "pipe", "inherit"] },
  );
  const lines = createInterface({ input: host.stdout });
  const ended = once(host, "close").then(([code]) => {
    throw new Error(`Cannot construct a component: its process ended with exit code ${String(code)}`);
  });
  const [port] = (await Promise.race([once(lines, "line"), ended])) as [string];
  ended.catch(() => undefined);
  lines.on("line", (line) => process.stderr.write(`${line}\n`));
  return new providerRpc.ResourceProviderClient(
    `127.0.0.1:${port}`,
    grpc.credentials.createInsecure(),
    // As the engine's own: an environment of a thousand hosts is above gRPC's 4 MB.
    { "grpc.max_receive_message_length": -1, "grpc.max_send_message_length": -1 },
  );
}
