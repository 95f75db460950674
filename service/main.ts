import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { pino } from "pino";
import { InputError } from "../host-tuning/errors.ts";
import { EXIT_CODE, type ExitCode } from "../host-tuning/exit-code.ts";
import { parseServiceConfig } from "./config.ts";
import { drainService } from "./drain.ts";
import { readSomaxconn } from "./effective-limits.ts";
import { createServiceServer } from "./http-server.ts";
import { createMetrics } from "./metrics.ts";

/** What Node asks listen(2) for by itself; whatever somaxconn allows, a queue never gets longer than that. */
const NODE_DEFAULT_BACKLOG = 511;

/** Starts the service and runs it until SIGTERM or SIGINT. */
async function main(): Promise<ExitCode> {
  const config = parseServiceConfig(process.env);
  const log = pino({ level: config.logLevel, base: { service: "mcp-service" } });
  const somaxconn = await readSomaxconn();
  const listenBacklog = somaxconn ?? NODE_DEFAULT_BACKLOG;
  const service = createServiceServer({
    config,
    log,
    metrics: createMetrics(),
    toolContext: { hostReportPath: config.hostReportPath, listenBacklog },
  });

  service.server.listen({ port: config.port, host: config.bindAddress, backlog: listenBacklog });
  await once(service.server, "listening");
  const { address, port } = service.server.address() as AddressInfo;
  log.info({ event: "listening", address, port, listenBacklog, protocolEra: config.protocolEra });

  const signal = await Promise.race([
    once(process, "SIGTERM").then(() => "SIGTERM"),
    once(process, "SIGINT").then(() => "SIGINT"),
  ]);
  log.info({ event: "stopping", signal });
  const isClean = await drainService(service, config.longestCallSeconds * 1000, log);
  return isClean ? EXIT_CODE.asWanted : EXIT_CODE.failed;
}

/** The exit code, and one line where the configuration is at fault. */
async function run(): Promise<void> {
  try {
    process.exitCode = await main();
  } catch (error) {
    const isBadInput = error instanceof InputError;
    process.stderr.write(
      `${isBadInput ? error.message : String(error instanceof Error ? error.stack : error)}\n`,
    );
    process.exitCode = isBadInput ? EXIT_CODE.badInput : EXIT_CODE.failed;
  }
}

// Not awaited at the top: the archive's program is CommonJS.
void run();
