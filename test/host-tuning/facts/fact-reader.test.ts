import { describe, expect, test } from "vitest";
import { FactReader, parseInteger, quote } from "../../../host-tuning/facts/fact-reader.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { hostFailingAt, readFailure, readingOf } from "./facts-of.ts";

describe("FactReader", () => {
  test("absent files are no fault; what is not understood is one, with its text", async () => {
    const { value, unreadable } = await readingOf(
      { "/a": "12\n", "/b": "twelve\n", "/c": "\n", "/list": "0-x\n", "/mask": "zz\n", "/minus": "-3\n" },
      (reader) =>
        Promise.all([
          reader.integer("/a"),
          reader.integer("/b"),
          reader.integer("/c"),
          reader.integer("/gone"),
          reader.kernelList("/list"),
          reader.kernelMask("/mask"),
          reader.kernelList("/c"),
          reader.count("/minus"),
          reader.integer("/minus"),
        ]),
    );
    expect(value).toEqual([12, undefined, undefined, undefined, undefined, undefined, [], undefined, -3]);
    expect(unreadable).toEqual([
      { path: "/b", because: 'Not a whole number: "twelve"' },
      { path: "/list", because: 'Not a kernel list: "0-x"' },
      { path: "/mask", because: 'Not a kernel mask: "zz"' },
      { path: "/minus", because: "Not a count: -3" },
    ]);
  });

  test("many faults of one kind are one line that says how many", async () => {
    const { unreadable } = await readingOf({}, async (reader) => {
      for (const irq of [1, 20, 300, 4000]) reader.note(`/proc/irq/${irq}/smp_affinity_list`, "EACCES");
      for (const irq of [1, 2]) reader.note(`/proc/irq/${irq}/node`, "EACCES");
      await Promise.resolve();
    });
    expect(unreadable).toEqual([
      { path: "/proc/irq/*/smp_affinity_list", because: "EACCES (4 files)" },
      { path: "/proc/irq/1/node", because: "EACCES" },
      { path: "/proc/irq/2/node", because: "EACCES" },
    ]);
  });

  test("a failure of the host is noted, a defect of ours is not hidden", async () => {
    await using root = await createHostRoot({});
    const host = openHost(root.root);
    const reader = new FactReader(hostFailingAt(host, "/x", readFailure("/x", "EACCES")));
    expect(await reader.text("/x")).toBeUndefined();
    expect(reader.unreadable()).toEqual([{ path: "/x", because: "EACCES (as the kernel says)" }]);
    const broken = new FactReader(hostFailingAt(host, "/x", new TypeError("oops")));
    await expect(broken.text("/x")).rejects.toThrow("oops");
  });
});

describe("parseInteger()", () => {
  test.each([
    ["0\n", 0],
    ["-0", 0],
    ["-1", -1],
    ["9007199254740991", 9_007_199_254_740_991],
    ["9007199254740993", undefined],
    ["1e3", undefined],
    ["0x10", undefined],
    ["1 2", undefined],
    ["", undefined],
  ])("reads %j", (text, expected) => {
    expect(parseInteger(text)).toBe(expected);
  });
});

describe("quote()", () => {
  test("shows one printable line that is not long", () => {
    expect(quote("a\u0000\n\u001bb\n")).toBe('"a b"');
    expect(quote("x".repeat(100))).toBe(`"${"x".repeat(60)}…"`);
  });
});
