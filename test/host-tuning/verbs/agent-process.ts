import { type ChildProcess, spawn } from "node:child_process";
import { resolve } from "node:path";

export const MAIN = resolve(import.meta.dirname, "../../../host-tuning/main.ts");

export interface AgentResult {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A run of the real program; `whenDone` gives what it said once it has ended. */
export interface AgentRun {
  readonly child: ChildProcess;
  readonly whenDone: Promise<AgentResult>;
}

export function startAgent(args: readonly string[], env: NodeJS.ProcessEnv = {}): AgentRun {
  const child = spawn(process.execPath, [MAIN, ...args], {
    stdio: ["ignore", "pipe", "pipe"],
    timeout: 60_000,
    killSignal: "SIGKILL",
    env: { PATH: process.env["PATH"], NO_COLOR: "1", ...env },
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const whenDone = new Promise<AgentResult>((done, fail) => {
    child.once("error", fail);
    child.once("close", (exitCode, signal) => done({ exitCode, signal, stdout, stderr }));
  });
  return { child, whenDone };
}

export async function agent(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<AgentResult> {
  return await startAgent(args, env).whenDone;
}
