import path from "node:path";
import * as z from "zod";
import { HOST_PATHS } from "../../../host-tuning/boot/paths.ts";
import { InputError } from "../../../host-tuning/errors.ts";
import { parseContract } from "../../../host-tuning/profile/parse-contract.ts";
import { type HostConnection, HostError, type RemoteInput, type RemoteResult } from "./ssh-connection.ts";

/** The agent's command in the archive that is in force. */
const AGENT = `${HOST_PATHS.agentCurrent}/bin/bedplate`;
const INSTALL_LOCK = "/run/bedplate-install.lock";
/** Whoever starts the agent beside the boot's own units takes this in turn. */
const TURN_LOCK = "/run/bedplate/turn.lock";

/** Generous: an emulated machine under load takes thirty times what hardware does. */
export const LOOKING_MILLIS = 180_000;
export const CHANGING_MILLIS = 900_000;
/** How long an earlier run on the host, whose Pulumi was killed, may still take; in seconds as flock has it. */
const TURN_SECONDS = 600;

/** Words before a command that waits for another one of its kind on the host. */
const IN_TURN = ["flock", "--timeout", String(TURN_SECONDS)];
export const IN_AGENTS_TURN: readonly string[] = [...IN_TURN, TURN_LOCK];
export const IN_INSTALLERS_TURN: readonly string[] = [...IN_TURN, INSTALL_LOCK];
/** Has to be there before the agent's turn is taken. */
export const TURN_FOLDER = path.dirname(TURN_LOCK);

/** Runs a command that has to succeed. */
export async function changeHost(
  connection: HostConnection,
  what: string,
  words: readonly string[],
  input?: RemoteInput,
): Promise<void> {
  const result = await connection.run(words, {
    timeoutMillis: CHANGING_MILLIS,
    ...(input === undefined ? {} : { input }),
  });
  if (result.exitCode !== 0) throw failedTo(connection, what, result);
}

export function failedTo(
  connection: HostConnection,
  what: string,
  { stdout, stderr, exitCode }: RemoteResult,
): HostError {
  const said = (stderr || stdout).trim().slice(-2000) || `exit code ${exitCode}`;
  return new HostError("HOST_FAILED", `${connection.place}: cannot ${what}: ${said}`);
}

interface AskOptions {
  readonly timeoutMillis: number;
  readonly input?: string;
  readonly onLine?: (line: string) => void;
  /** Words before the command. */
  readonly turn?: readonly string[];
}

const agentErrorSchema = z.object({ kind: z.literal("Error"), message: z.string() });

/** Runs a verb of the installed agent and reads its answer. @throws {HostError} with the agent's own words */
export async function askAgent<S extends z.ZodType>(
  connection: HostConnection,
  schema: S,
  verb: readonly string[],
  { turn = [], ...options }: AskOptions,
): Promise<{ readonly answer: z.output<S>; readonly exitCode: number }> {
  const result = await connection.run([...turn, AGENT, ...verb, "--json"], options);
  return {
    answer: parseAnswer(schema, result, `${connection.place}: bedplate ${verb[0]}`),
    exitCode: result.exitCode,
  };
}

/** @throws {HostError} when the agent failed, or said what this version does not understand */
export function parseAnswer<S extends z.ZodType>(
  schema: S,
  { stdout, stderr, exitCode }: RemoteResult,
  source: string,
): z.output<S> {
  let data: unknown;
  try {
    data = JSON.parse(stdout);
  } catch (cause) {
    const said = (stderr || stdout).trim().slice(-2000) || "nothing";
    throw new HostError("HOST_FAILED", `${source} ended with exit code ${exitCode} and said: ${said}`, {
      cause,
    });
  }
  const refusal = agentErrorSchema.safeParse(data);
  if (refusal.success) throw new HostError("HOST_FAILED", `${source}: ${refusal.data.message}`);
  try {
    return parseContract(schema, data, source);
  } catch (cause) {
    if (!(cause instanceof InputError)) throw cause;
    throw new HostError("HOST_FAILED", `Cannot understand the agent there: ${cause.message}`, { cause });
  }
}
