import type { ToolResult } from "./host.ts";

const TIMEOUT_MILLIS = 30_000;

/**
 * Tools that take longer. update-grub asks every disk what is on it. systemd reads every unit again before it answers
 * daemon-reload, which under emulation on a starved machine took more than 30 s; one that was given up happens all the same.
 */
const SLOW_TOOLS: ReadonlyMap<string, number> = new Map([
  ["systemctl", 120_000],
  ["update-grub", 300_000],
]);

const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/** Where tools are looked for; the caller's own PATH is not trusted by a program that runs as root. */
const TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs a tool with arguments as they are: no shell, no input, English output, bounded time and output.
 *
 * @returns `undefined` when it is not installed; exit code 124 when it ran out of time, 128 when it was killed
 */
export async function runTool(
  tool: string,
  args: readonly string[],
  timeoutMillis = SLOW_TOOLS.get(tool) ?? TIMEOUT_MILLIS,
): Promise<ToolResult | undefined> {
  // Loaded here: most runs start no tool at all, and start-up is most of what a run at boot costs.
  const { execa } = await import("execa");
  const result = await execa(tool, [...args], {
    reject: false,
    shell: false,
    stdin: "ignore",
    extendEnv: false,
    env: { PATH: TOOL_PATH, LC_ALL: "C", LANG: "C" },
    timeout: timeoutMillis,
    killSignal: "SIGKILL",
    maxBuffer: MAX_OUTPUT_BYTES,
    stripFinalNewline: false,
  });
  if (result.code === "ENOENT") return undefined;
  if (result.timedOut) {
    return { exitCode: 124, stdout: result.stdout, stderr: `no answer within ${timeoutMillis / 1000} s` };
  }
  if (result.exitCode === undefined) {
    return { exitCode: 128, stdout: result.stdout, stderr: result.shortMessage ?? "killed" };
  }
  return { exitCode: result.exitCode, stdout: result.stdout, stderr: result.stderr };
}
