import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { execa } from "execa";

const CACHE = path.resolve(import.meta.dirname, "../.bedplate/cache");

/** The largest has 65 packages of 480 MB when they are unpacked. */
const LIMIT_MILLIS = 900_000;

/** Packages from PyPI in a virtual environment of their own, pinned by a requirements.txt that holds all that they need. */
export class PythonPackages {
  readonly #requirements: string;
  readonly #folder: string;
  readonly #python: string;

  /** `name` is the folder's below the cache; `python` is on PATH, of a version that the packages take. */
  constructor(name: string, requirements: string, python = "python3") {
    this.#requirements = requirements;
    this.#python = python;
    const digest = createHash("sha256").update(readFileSync(requirements)).digest("hex").slice(0, 12);
    this.#folder = path.join(CACHE, name, digest);
  }

  /** Folder of the environment's `python` and of the packages' programs. */
  get programs(): string {
    return path.join(this.#folder, "bin");
  }

  areThere(): boolean {
    return existsSync(this.#complete);
  }

  /** Installs what is not there. Needs Python with venv. */
  async install(): Promise<void> {
    if (this.areThere()) return;
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(path.dirname(this.#folder), { recursive: true });
    await execa(this.#python, ["-m", "venv", this.#folder], { timeout: LIMIT_MILLIS });
    const pip = path.join(this.programs, "pip");
    await execa(
      pip,
      ["install", "--quiet", "--disable-pip-version-check", "--requirement", this.#requirements],
      { timeout: LIMIT_MILLIS },
    );
    await writeFile(this.#complete, "");
  }

  /** Written last: without it an installation was cut off. */
  get #complete(): string {
    return path.join(this.#folder, "complete");
  }
}
