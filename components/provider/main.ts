import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { BedplateProvider, type ResourceKind } from "./bedplate-provider.ts";
import { ComponentProcess } from "./component-process.ts";
import { endWithEngine } from "./engine-life.ts";
import { openEngineLog } from "./engine-log.ts";
import { LocalVmResource } from "./local-vm-provider.ts";
import { LOCAL_VM_TYPE } from "./local-vm-resource.ts";
import { serveProvider } from "./provider-service.ts";
import { TunedHostResource } from "./tuned-host-provider.ts";
import { LOOK_AHEAD_TOKEN, TUNED_HOST_TYPE } from "./tuned-host-resource.ts";

/** The `bedplate` provider: the engine starts it with its own address and speaks gRPC with it. */

const { version } = createRequire(import.meta.url)("../../package.json") as { readonly version: string };
const engineArguments = process.argv.slice(2);
const engineAddress = engineArguments.find((argument) => /^[\w.-]+:\d+$/.test(argument));
const log = openEngineLog(engineAddress);
const schema = readFileSync(new URL("package-schema.json", import.meta.url), "utf8");

endWithEngine(() => process.exit(1));

const tunedHosts = new TunedHostResource(log);
const port = await serveProvider(
  new BedplateProvider({
    version,
    kinds: new Map<string, ResourceKind>([
      [LOCAL_VM_TYPE, new LocalVmResource(log)],
      [TUNED_HOST_TYPE, tunedHosts],
    ]),
    functions: new Map([[LOOK_AHEAD_TOKEN, tunedHosts.lookAhead]]),
  }),
  { schema, components: new ComponentProcess(engineAddress) },
);
// The protocol: the first line of output is the port.
process.stdout.write(`${port}\n`);
