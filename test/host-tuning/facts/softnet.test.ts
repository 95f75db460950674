import { describe, expect, test } from "vitest";
import { parseSoftnet } from "../../../host-tuning/facts/softnet.ts";
import { factsOf } from "./facts-of.ts";

const PATH = "/proc/net/softnet_stat";

/** Linux 6.1, two CPUs; older kernels print fewer columns, newer ones more. */
const LINUX_6_1 = `0000007d 00000000 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000002
ffffffff 00000010 00000003 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000003
`;

describe("parseSoftnet()", () => {
  test("sums the CPUs' hexadecimal counters", () => {
    expect(parseSoftnet(LINUX_6_1)).toEqual({ processed: 0xffffffff + 0x7d, dropped: 16, timeSqueezed: 5 });
    expect(parseSoftnet("0000000a 00000001 00000000\n")).toEqual({
      processed: 10,
      dropped: 1,
      timeSqueezed: 0,
    });
  });

  test.each(["", "10 1 2\n", "0000007d 00000000\n", "hello\n"])("makes nothing of %j", (text) => {
    expect(parseSoftnet(text)).toBeUndefined();
  });
});

describe("readSoftnet()", () => {
  test("is null where the file is absent or not understood, and then says so", async () => {
    expect((await factsOf({})).softnet).toBeNull();
    const { softnet, unreadable } = await factsOf({ [PATH]: "x\n" });
    expect(softnet).toBeNull();
    expect(unreadable).toContainEqual({ path: PATH, because: "Not rows of hexadecimal counters" });
  });
});
