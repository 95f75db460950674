import { Command } from "commander";
import { vi } from "vitest";
import { environmentFileOf, loadNamedEnvironment } from "../../components/environment/load-environment.ts";
import { addCostVerbs } from "../../cost/cost-program.ts";

export interface Outcome {
  readonly exitCode: number | string | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs `bedplate cost` as the command line does, with `stacks` for stacks/, and gives what it prints. */
export async function costCommand(stacks: string, ...args: string[]): Promise<Outcome> {
  const printed = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((stream) =>
    vi.spyOn(process[stream], "write").mockImplementation((chunk) => {
      printed[stream] += String(chunk);
      return true;
    }),
  );
  const program = new Command("bedplate").exitOverride();
  addCostVerbs(program, {
    loadEnvironment: (env) => loadNamedEnvironment(env, stacks),
    environmentFile: (env) => environmentFileOf(env, stacks),
  });
  const exitCodeBefore = process.exitCode;
  process.exitCode = undefined;
  try {
    await program.parseAsync(["node", "bedplate", "cost", ...args]);
    return { exitCode: process.exitCode, ...printed };
  } finally {
    process.exitCode = exitCodeBefore;
    for (const spy of spies) spy.mockRestore();
  }
}
