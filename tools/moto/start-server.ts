import { execa } from "execa";
import { freePort } from "../trino/start-server.ts";
import { MOTO_SERVER } from "./get-server.ts";

const START_LIMIT_MILLIS = 60_000;
const STOP_LIMIT_MILLIS = 10_000;
const LOOK_AGAIN_MILLIS = 200;

export interface MotoServer {
  /** `host:port` of its endpoint. */
  readonly host: string;
  readonly stop: () => Promise<void>;
}

/**
 * Starts moto's server, empty.
 *
 * @throws when it has not answered in time
 */
export async function startMoto(): Promise<MotoServer> {
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const server = execa(MOTO_SERVER, ["-H", "127.0.0.1", "-p", String(port)], {
    stdio: "ignore",
    reject: false,
    forceKillAfterDelay: STOP_LIMIT_MILLIS,
  });
  const stop = async (): Promise<void> => {
    server.kill();
    await server;
  };
  const deadline = Date.now() + START_LIMIT_MILLIS;
  const isReady = async (): Promise<boolean> =>
    await fetch(`http://${host}/moto-api/`, { signal: AbortSignal.timeout(5000) }).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (Date.now() > deadline) {
      await stop();
      throw new Error("moto's server did not start");
    }
    await new Promise((resolve) => {
      setTimeout(resolve, LOOK_AGAIN_MILLIS);
    });
  }
  return { host, stop };
}
