/** Failures of the local VM that a caller may act on. */
export type LocalVmErrorCode =
  | "PART_MISSING"
  | "IMAGE_BUILD"
  | "QEMU_START"
  | "QEMU_ENDED"
  | "WAIT_TIMEOUT"
  | "GUEST_FAILED"
  | "ARTIFACT_WRONG"
  | "VM_BUSY"
  | "VM_TAKEN"
  | "VM_UNKNOWN";

/** A VM that could not be built, started, reached or removed; the message ends with where to look. */
export class LocalVmError extends Error {
  override readonly name = "LocalVmError";
  readonly code: LocalVmErrorCode;

  constructor(code: LocalVmErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
