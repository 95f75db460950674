import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import { remoteCommandLine } from "../../../../components/hosts/ssh/remote-command.ts";

test("remoteCommandLine() gives a shell exactly the words it was given", () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: "binary" }).filter((word) => !word.includes("\0") && word.isWellFormed())),
      (words) => {
        const line = remoteCommandLine(["printf", String.raw`%s\0`, "first", ...words]);
        const said = execFileSync("sh", ["-c", line], { encoding: "utf8", timeout: 20_000 });
        expect(said.split("\0").slice(1, -1)).toEqual(words);
      },
    ),
    { numRuns: 50 },
  );
});

test("remoteCommandLine() leaves plain words as people read them", () => {
  expect(remoteCommandLine(["flock", "--timeout", "600", "/run/bedplate/turn.lock"])).toBe(
    "flock --timeout 600 /run/bedplate/turn.lock",
  );
  expect(remoteCommandLine(["echo", "it's", "$HOME", ""])).toBe(String.raw`echo 'it'\''s' '$HOME' ''`);
});

test("remoteCommandLine() fails for what no command line can hold", () => {
  expect(() => remoteCommandLine(["a\0b"])).toThrow(RangeError);
});
