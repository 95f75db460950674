import path from "node:path";
import { execa } from "execa";
import { MOTO_PROGRAMS, hasMoto } from "../../tools/moto/get-moto.ts";
import type { Part } from "./needs.ts";

export const MOTO: Part = {
  name: "moto, an AWS API, with the AWS command line",
  howToGet: "node tools/moto/get-moto.ts",
  isThere: hasMoto,
};

const START_LIMIT_MILLIS = 60_000;
const COMMAND_LIMIT_MILLIS = 60_000;

/** An account of its own, empty, that answers on loopback. */
export class AwsApi {
  /** What a program of AWS's needs to reach it. */
  readonly env: Readonly<Record<string, string>>;
  readonly #stop: () => Promise<void>;

  private constructor(stop: () => Promise<void>, url: string) {
    this.#stop = stop;
    this.env = {
      PATH: `${MOTO_PROGRAMS}:${process.env["PATH"] ?? ""}`,
      AWS_ENDPOINT_URL: url,
      AWS_ACCESS_KEY_ID: "test",
      AWS_SECRET_ACCESS_KEY: "test",
      AWS_REGION: "us-east-1",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    };
  }

  static async start(): Promise<AwsApi> {
    const server = execa(path.join(MOTO_PROGRAMS, "moto_server"), ["--host", "127.0.0.1", "--port", "0"], {
      all: true,
      buffer: false,
      reject: false,
      forceKillAfterDelay: 2000,
    });
    let printed = "";
    const tooSlow = setTimeout(() => server.kill(), START_LIMIT_MILLIS);
    // Read to the end: a server whose log nobody reads stops when the pipe is full.
    const url = await new Promise<string | undefined>((resolve) => {
      server.all.on("data", (chunk: Buffer) => {
        printed += chunk.toString();
        const found = /Running on (http:\/\/127\.0\.0\.1:\d+)\s/.exec(printed)?.[1];
        if (found !== undefined) resolve(found);
      });
      server.all.on("end", () => resolve(undefined));
    });
    clearTimeout(tooSlow);
    if (url === undefined) throw new Error(`moto_server did not start: ${printed}`);
    const stop = async (): Promise<void> => {
      server.kill();
      await server;
    };
    return new AwsApi(stop, url);
  }

  /** The real `aws`; what it prints. */
  async aws(words: readonly string[], input?: Buffer): Promise<string> {
    const { stdout } = await execa("aws", words, {
      env: this.env,
      timeout: COMMAND_LIMIT_MILLIS,
      ...(input === undefined ? {} : { input }),
    });
    return stdout;
  }

  stop(): Promise<void> {
    return this.#stop();
  }
}
