import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

const FOLDER = path.resolve(import.meta.dirname, "../../.bedplate/cache/moto");

/** moto's server, which answers as AWS does: its program in a virtual environment of its own. */
export const MOTO_SERVER = path.join(FOLDER, "bin/moto_server");

const LIMIT_MILLIS = 600_000;

/** Installs moto from PyPI, as pinned beside this file. Needs Python with venv. */
export async function getMoto(): Promise<void> {
  if (existsSync(MOTO_SERVER)) return;
  await mkdir(path.dirname(FOLDER), { recursive: true });
  await execa("python3", ["-m", "venv", FOLDER], { timeout: LIMIT_MILLIS });
  const requirements = path.join(import.meta.dirname, "requirements.txt");
  await execa(path.join(FOLDER, "bin/pip"), ["install", "--quiet", "--requirement", requirements], {
    timeout: LIMIT_MILLIS,
  });
}

if (import.meta.main) await getMoto();
