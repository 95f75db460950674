import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

const REQUIREMENTS = path.join(import.meta.dirname, "requirements.txt");
const DIGEST = createHash("sha256").update(readFileSync(REQUIREMENTS)).digest("hex").slice(0, 12);
const FOLDER = path.resolve(import.meta.dirname, `../../.bedplate/cache/moto/${DIGEST}`);
/** Written last: without it an installation was cut off. */
const COMPLETE = path.join(FOLDER, "complete");

/** `moto_server`, which answers as AWS does, and `aws`, the real command line: both in a virtual environment of their own. */
export const MOTO_PROGRAMS = path.join(FOLDER, "bin");

/** 65 packages of 480 MB when they are unpacked. */
const LIMIT_MILLIS = 900_000;

export function hasMoto(): boolean {
  return existsSync(COMPLETE);
}

/** Installs moto and the AWS command line from PyPI, as pinned beside this file. Needs Python with venv. */
export async function getMoto(): Promise<void> {
  if (hasMoto()) return;
  await rm(FOLDER, { recursive: true, force: true });
  await mkdir(path.dirname(FOLDER), { recursive: true });
  await execa("python3", ["-m", "venv", FOLDER], { timeout: LIMIT_MILLIS });
  const pip = path.join(MOTO_PROGRAMS, "pip");
  await execa(pip, ["install", "--quiet", "--disable-pip-version-check", "--requirement", REQUIREMENTS], {
    timeout: LIMIT_MILLIS,
  });
  await writeFile(COMPLETE, "");
}

if (import.meta.main) await getMoto();
