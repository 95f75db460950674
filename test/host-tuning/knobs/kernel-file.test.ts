import { describe, expect, it } from "vitest";
import { TuningError } from "../../../host-tuning/errors.ts";
import { parseChosen, readChosen, readCount } from "../../../host-tuning/knobs/kernel-file.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

describe("parseChosen()", () => {
  it.each([
    ["always [madvise] never\n", "madvise"],
    ["always defer [defer+madvise] madvise never\n", "defer+madvise"],
    ["[none] mq-deadline\n", "none"],
    ["noop anticipatory deadline [cfq] \n", "cfq"],
    ["none\n", "none"],
  ])("finds the choice in %j", (text, chosen) => {
    expect(parseChosen(text)).toBe(chosen);
  });

  it.each(["", "always madvise never", "[always] [never]", "[]", "[a", "always [madvise"])(
    "finds none in %j",
    (text) => {
      expect(parseChosen(text)).toBeUndefined();
    },
  );
});

describe("reading kernel files", () => {
  it("fails with path and text on a choice without brackets", async () => {
    await using root = await createHostRoot({ "/sys/x": "a b c\n" });
    await expect(readChosen(openHost(root.root), "/sys/x")).rejects.toThrow(
      new TuningError(
        "HOST_PARSE",
        "/sys/x",
        'Cannot read /sys/x: holds "a b c", expected one choice in brackets',
      ),
    );
  });

  it.each(["", "-1\n", "12 KiB\n", "0x10\n", "1e3\n", "12\n13\n"])(
    "fails on %j where a count is",
    async (text) => {
      await using root = await createHostRoot({ "/sys/x": text });
      await expect(readCount(openHost(root.root), "/sys/x")).rejects.toThrow(
        /Cannot read \/sys\/x: holds ".*"/s,
      );
    },
  );

  it("has nothing where the file is absent", async () => {
    await using root = await createHostRoot({});
    expect(await readCount(openHost(root.root), "/sys/x")).toBeUndefined();
    expect(await readChosen(openHost(root.root), "/sys/x")).toBeUndefined();
  });
});
