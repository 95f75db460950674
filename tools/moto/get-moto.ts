import path from "node:path";
import { PythonPackages } from "../python-packages.ts";

const PACKAGES = new PythonPackages("moto", path.join(import.meta.dirname, "requirements.txt"));

/** `moto_server`, which answers as AWS does, and `aws`, the real command line: both in a virtual environment of their own. */
export const MOTO_PROGRAMS = PACKAGES.programs;

export function hasMoto(): boolean {
  return PACKAGES.areThere();
}

if (import.meta.main) await PACKAGES.install();
