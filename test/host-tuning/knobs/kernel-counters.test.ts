import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { inotifyUse } from "../../../host-tuning/knobs/inotify-use.ts";
import {
  allEvidence,
  counted,
  countedPerCpu,
  firstNumbers,
  readCounters,
} from "../../../host-tuning/knobs/kernel-counters.ts";
import { WHOLE_HOST } from "../../../host-tuning/knobs/knob.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

/** As Linux 6.1 prints them, shortened. */
const NETSTAT = `TcpExt: SyncookiesSent ListenOverflows ListenDrops
TcpExt: 0 496 1204
IpExt: InNoRoutes InOctets
IpExt: 3 90071992547
MPTcpExt: MPCapableSYNRX
`;
const CONNTRACK = `entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop
00000071  00000000 00000000 00000000 0000001a 00000000 00000000 00000002 00000000 0000000a 00000001 00000000
00000071  00000000 00000000 00000000 00000003 00000000 00000000 00000001 00000000 00000006 00000000 0000000f
`;

describe("evidence", () => {
  it("finds counters by their line's name and leaves out what this kernel does not count", async () => {
    await using host = await createHostRoot({ "/proc/net/netstat": NETSTAT });
    const evidence = counted("/proc/net/netstat", [
      "TcpExt.ListenOverflows",
      "TcpExt.TCPReqQFullDrop",
      "IpExt.InOctets",
    ]);
    expect(await evidence(openHost(host.root), WHOLE_HOST)).toBe(
      "TcpExt.ListenOverflows 496, IpExt.InOctets 90071992547 (/proc/net/netstat)",
    );
  });

  it("adds up hexadecimal columns of all CPUs, but not the size of the one table", async () => {
    await using host = await createHostRoot({ "/proc/net/stat/nf_conntrack": CONNTRACK });
    const evidence = countedPerCpu("/proc/net/stat/nf_conntrack", [
      "entries",
      "insert_failed",
      "drop",
      "early_drop",
      "no such column",
    ]);
    expect(await evidence(openHost(host.root), WHOLE_HOST)).toBe(
      "entries 113, insert_failed 16, drop 1, early_drop 15 (/proc/net/stat/nf_conntrack)",
    );
  });

  it("puts pieces together and is nothing where the host counts nothing", async () => {
    await using host = await createHostRoot({ "/proc/sys/fs/file-nr": "1312\t0\t9223372036854775807\n" });
    const files = firstNumbers({ allocated: "/proc/sys/fs/file-nr", absent: "/proc/sys/fs/aio-nr" });
    const pages = counted("/proc/vmstat", ["pswpin"]);
    expect(await allEvidence(pages, files)(openHost(host.root), WHOLE_HOST)).toBe(
      "allocated 1312 (/proc/sys/fs/file-nr)",
    );
    expect(await pages(openHost(host.root), WHOLE_HOST)).toBeUndefined();
    expect(await allEvidence(pages)(openHost(host.root), WHOLE_HOST)).toBeUndefined();
  });

  it("reads sockstat's pairs and vmstat's lines", async () => {
    await using host = await createHostRoot({
      "/proc/net/sockstat": "sockets: used 290\nTCP: inuse 5 orphan 0 tw 3 alloc 8 mem 2\n",
      "/proc/vmstat": "nr_dirty 12\npswpin 0\nbroken line here\n",
    });
    const sockets = await readCounters(openHost(host.root), "/proc/net/sockstat");
    expect([sockets.get("TCP.orphan"), sockets.get("TCP.mem"), sockets.get("sockets.used")]).toEqual([
      0, 2, 290,
    ]);
    expect([...(await readCounters(openHost(host.root), "/proc/vmstat"))]).toEqual([
      ["nr_dirty", 12],
      ["pswpin", 0],
    ]);
  });

  it("understands the counters of the kernel that runs this test", async () => {
    const live = openHost("/");
    const tcp = await readCounters(live, "/proc/net/netstat");
    expect(tcp.get("TcpExt.ListenOverflows")).toBeGreaterThanOrEqual(0);
    const names = /^TcpExt: (.*)$/m.exec(readFileSync("/proc/net/netstat", "utf8"))?.[1]?.split(" ") ?? [];
    expect([...tcp.keys()].filter((name) => name.startsWith("TcpExt."))).toHaveLength(names.length);
    expect((await readCounters(live, "/proc/vmstat")).get("nr_free_pages")).toBeGreaterThan(0);
    expect((await readCounters(live, "/proc/net/sockstat")).has("TCP.tw")).toBe(true);
  });
});

describe("inotifyUse()", () => {
  it("counts instances and watches of every process", async () => {
    const watch = "inotify wd:1 ino:9e7e sdev:800013 mask:800afce ignored_mask:0 fhandle-bytes:8\n";
    await using host = await createHostRoot({
      "/proc/1/fdinfo/0": "pos:\t0\nflags:\t02\n",
      "/proc/1/fdinfo/4": `pos:\t0\n${watch}${watch}`,
      "/proc/17/fdinfo/9": `pos:\t0\n${watch}`,
    });
    expect(await inotifyUse(openHost(host.root))).toBe(
      "2 instances with 3 watches, all users together (/proc/PID/fdinfo)",
    );
  });

  it("says which processes it did not look into", async () => {
    const files = Array.from({ length: 2001 }, (_, file) => [`/proc/8/fdinfo/${file}`, "pos:\t0\n"]);
    await using host = await createHostRoot({ ...Object.fromEntries(files), "/proc/9/fdinfo/0": "" });
    expect(await inotifyUse(openHost(host.root))).toContain("1 processes not looked into");
  });
});
