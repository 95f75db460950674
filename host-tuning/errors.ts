/** Failures a caller may act on. Add a code here before throwing a new kind. */
export type TuningErrorCode =
  | "AGENT_BUSY"
  | "HOST_READ"
  | "HOST_WRITE"
  | "HOST_PARSE"
  | "INPUT_INVALID"
  | "JOURNAL_CORRUPT"
  | "KNOB_INVALID"
  | "PLAN_STALE"
  | "TOPOLOGY_UNCLEAR"
  | "TOOL_FAILED"
  | "UNSUPPORTED_HOST";

/** A failure tied to one path of the host or of an input; `cause` keeps the original error. */
export class TuningError extends Error {
  override readonly name = "TuningError";
  readonly code: TuningErrorCode;
  readonly path: string;

  constructor(code: TuningErrorCode, path: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.path = path;
  }
}

/** One fault in an input: where it is (`hostPools[0].count`) and what would be right. */
export interface Fault {
  readonly path: string;
  readonly message: string;
}

/** A bad input, with every fault found in one go. The command line turns it into exit code 2. */
export class InputError extends Error {
  override readonly name = "InputError";
  readonly source: string;
  readonly faults: readonly Fault[];

  constructor(source: string, faults: readonly Fault[], options?: ErrorOptions) {
    const lines = faults.map(
      (fault) => `  ${fault.path === "" ? "(whole file)" : fault.path}: ${fault.message}`,
    );
    super(
      `${source}: ${faults.length} ${faults.length === 1 ? "fault" : "faults"}\n${lines.join("\n")}`,
      options,
    );
    this.source = source;
    this.faults = faults;
  }
}

/** What an error of any kind says, for a sentence that goes on after a colon. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
