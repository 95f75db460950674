import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterAll, describe } from "vitest";

/** A part that a test needs and a machine may lack. */
export interface Part {
  readonly name: string;
  readonly howToGet: string;
  readonly isThere: () => boolean;
}

/** A program on PATH that answers `versionFlag`. */
export function program(name: string, howToGet: string, versionFlag = "--version"): Part {
  return {
    name,
    howToGet,
    isThere: () => {
      try {
        execFileSync(name, [versionFlag], { stdio: "ignore", timeout: 20_000 });
        return true;
      } catch {
        return false;
      }
    },
  };
}

/** A file or folder, as the data that is shared beside the checkout. */
export function file(path: string, name: string, howToGet: string): Part {
  return { name, howToGet, isThere: () => existsSync(path) };
}

export const ROOT_USER: Part = {
  name: "root",
  howToGet: "run as root",
  isThere: () => process.getuid?.() === 0,
};

/**
 * `describe` for tests that need parts: where one is missing they are skipped with its name and how to get it; with
 * BEDPLATE_REQUIRE_ALL=1 (CI) they fail instead, so that a green CI has really run them.
 */
export function describeWith(parts: readonly Part[], title: string, body: () => void): void {
  const missing = parts.filter((part) => !part.isThere());
  if (missing.length === 0) {
    describe(title, body);
    return;
  }
  const why = missing.map((part) => `${part.name} is missing (${part.howToGet})`).join("; ");
  if (process.env["BEDPLATE_REQUIRE_ALL"] === "1") {
    describe(title, () => {
      afterAll(() => {
        throw new Error(`BEDPLATE_REQUIRE_ALL=1 and ${why}`);
      });
      body();
    });
    return;
  }
  describe.skip(`${title} - skipped: ${why}`, body);
}
