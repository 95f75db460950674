import path from "node:path";
import { PythonPackages } from "../python-packages.ts";

const PACKAGES = new PythonPackages("focus-validator", path.join(import.meta.dirname, "requirements.txt"));

/** The FinOps Foundation's check of a FOCUS dataset; its release on PyPI knows FOCUS 0.5 to 1.0. */
export const FOCUS_VALIDATOR = path.join(PACKAGES.programs, "focus-validator");

export function hasFocusValidator(): boolean {
  return PACKAGES.areThere();
}

if (import.meta.main) await PACKAGES.install();
