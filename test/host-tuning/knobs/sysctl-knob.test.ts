import { describe, expect, it } from "vitest";
import { netCoreSomaxconn } from "../../../host-tuning/knobs/net-core-somaxconn.ts";
import { netIpv4TcpRmem } from "../../../host-tuning/knobs/net-ipv4-tcp-rmem.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

const HOST = { name: "" };

describe("integerSysctl()", () => {
  const path = "/proc/sys/net/core/somaxconn";

  it("reads the kernel's number and writes it with a line end", async () => {
    await using host = await createHostRoot({ [path]: "4096\n" });
    expect(await netCoreSomaxconn.read(openHost(host.root), HOST)).toBe(4096);
    expect(netCoreSomaxconn.writes(8192, HOST, 4096)).toEqual([
      { kind: "kernel-file", path, text: "8192\n" },
    ]);
  });

  it.each(["", "many\n", "1 2\n", "4e3\n"])("fails on a file that holds %j", async (text) => {
    await using host = await createHostRoot({ [path]: text });
    await expect(netCoreSomaxconn.read(openHost(host.root), HOST)).rejects.toMatchObject({
      code: "HOST_PARSE",
      path,
      message: `Cannot read ${path}: expected a whole number, found ${JSON.stringify(text)}`,
    });
  });

  it.each([-1, 2 ** 31, 4096.5, "4096", true])("fails an override of %j", (value) => {
    expect(netCoreSomaxconn.value.safeParse(value).success).toBe(false);
  });
});

describe("integersSysctl()", () => {
  const path = "/proc/sys/net/ipv4/tcp_rmem";

  it("reads the kernel's tabs as single spaces", async () => {
    await using host = await createHostRoot({ [path]: "4096\t131072\t6291456\n" });
    expect(await netIpv4TcpRmem.read(openHost(host.root), HOST)).toBe("4096 131072 6291456");
  });

  it("fails on another count of numbers", async () => {
    await using host = await createHostRoot({ [path]: "4096\t131072\n" });
    await expect(netIpv4TcpRmem.read(openHost(host.root), HOST)).rejects.toThrow(
      `Cannot read ${path}: expected 3 whole numbers, found "4096\\t131072\\n"`,
    );
  });
});
