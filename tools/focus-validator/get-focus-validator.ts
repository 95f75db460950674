import { readdirSync } from "node:fs";
import path from "node:path";
import { PythonPackages } from "../python-packages.ts";

const PACKAGES = new PythonPackages(
  "focus-validator",
  path.join(import.meta.dirname, "requirements.txt"),
  "python3.12",
);

/** The FinOps Foundation's check of a FOCUS dataset; its release on PyPI has the rules of FOCUS 1.2. */
export const FOCUS_VALIDATOR = path.join(PACKAGES.programs, "focus-validator");

/** Where it has to be run: it reads its list of currencies by a path of its own source. */
export function focusValidatorFolder(): string {
  const libraries = path.join(PACKAGES.programs, "../lib");
  const python = readdirSync(libraries).find((name) => name.startsWith("python3."));
  if (python === undefined) throw new Error(`${libraries} has no Python: node ${import.meta.filename}`);
  return path.join(libraries, python, "site-packages");
}

export function hasFocusValidator(): boolean {
  return PACKAGES.areThere();
}

if (import.meta.main) await PACKAGES.install();
