import { InputError, TuningError } from "../errors.ts";
import { type ExitCode, EXIT_CODE } from "../exit-code.ts";
import { API_VERSION } from "../profile/host-profile.ts";

/** Options that every verb has. */
export interface CommonOptions {
  readonly root: string;
  readonly json?: boolean;
  readonly logJson?: boolean;
}

/**
 * Runs a verb and turns what it throws into one message on stderr and an exit code. With --json the same goes to
 * stdout as an object of kind Error, so that a program never has to read prose.
 */
export async function runVerb(options: CommonOptions, work: () => Promise<ExitCode>): Promise<void> {
  try {
    process.exitCode = await work();
  } catch (error) {
    process.exitCode = exitCodeOfError(error);
    process.stderr.write(`bedplate: ${describe(error)}\n`);
    if (options.json === true) writeJson(errorObject(error));
  }
}

export function exitCodeOfError(error: unknown): ExitCode {
  if (error instanceof InputError) return EXIT_CODE.badInput;
  if (error instanceof TuningError && error.code === "UNSUPPORTED_HOST") return EXIT_CODE.badInput;
  if (error instanceof TuningError && error.code === "PLAN_STALE") return EXIT_CODE.drift;
  return EXIT_CODE.failed;
}

function describe(error: unknown): string {
  if (error instanceof InputError || error instanceof TuningError) return error.message;
  // A defect of ours: the stack is what its report needs.
  if (error instanceof Error) return `internal error, please report it: ${error.stack ?? error.message}`;
  return `internal error, please report it: ${String(error)}`;
}

function errorObject(error: unknown): unknown {
  const base = { apiVersion: API_VERSION, kind: "Error" };
  if (error instanceof InputError) {
    return {
      ...base,
      code: "INPUT_INVALID",
      message: error.message,
      source: error.source,
      faults: error.faults,
    };
  }
  if (error instanceof TuningError) {
    return { ...base, code: error.code, message: error.message, path: error.path };
  }
  return { ...base, code: "INTERNAL", message: describe(error) };
}

export function writeJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}
