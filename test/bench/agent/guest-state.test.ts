import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  changedValues,
  parseKernelValues,
  renderWrites,
  steadyValues,
} from "../../../bench/agent/kernel-values.ts";
import { residentsOf } from "../../../bench/agent/residents.ts";

const VALUES = `/proc/sys/net/ipv4/tcp_mem:22293\t29726\t44586
/sys/kernel/mm/transparent_hugepage/enabled:always [madvise] never
/sys/block/vda/queue/scheduler:[mq-deadline] none
/proc/sys/dev/cdrom/info:CD-ROM information
/proc/sys/dev/cdrom/info:
/proc/sys/dev/cdrom/info:drive name: sr0
`;

describe("parseKernelValues()", () => {
  it("joins a file's lines, and leaves colons in them alone", () => {
    expect([...parseKernelValues(VALUES)]).toEqual([
      ["/proc/sys/net/ipv4/tcp_mem", "22293\t29726\t44586"],
      ["/sys/kernel/mm/transparent_hugepage/enabled", "always [madvise] never"],
      ["/sys/block/vda/queue/scheduler", "[mq-deadline] none"],
      ["/proc/sys/dev/cdrom/info", "CD-ROM information\n\ndrive name: sr0"],
    ]);
  });

  it("takes any text", () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        for (const path of parseKernelValues(text).keys()) expect(path.startsWith("/")).toBe(true);
      }),
    );
  });
});

describe("changedValues()", () => {
  it("gives the text from before of what has another one now, of steady files alone", () => {
    const once = new Map([
      ["/a", "1"],
      ["/pid", "7"],
      ["/gone", "x"],
      ["/same", "s"],
    ]);
    const steady = steadyValues(once, new Map([...once, ["/pid", "8"]]));
    const after = new Map([
      ["/a", "2"],
      ["/pid", "9"],
      ["/same", "s"],
      ["/new", "n"],
    ]);
    expect([...changedValues(steady, after)]).toEqual([["/a", "1"]]);
  });
});

describe("renderWrites()", () => {
  it("writes the choice in brackets, and other text as it was", () => {
    expect(renderWrites(parseKernelValues(VALUES.split("\n").slice(0, 3).join("\n")))).toBe(
      "/proc/sys/net/ipv4/tcp_mem\t22293\t29726\t44586\n" +
        "/sys/kernel/mm/transparent_hugepage/enabled\tmadvise\n" +
        "/sys/block/vda/queue/scheduler\tmq-deadline\n",
    );
  });
});

describe("residentsOf()", () => {
  const BEFORE = "      1 11976 systemd\n    260  9016 sshd\n    300  4000 old\n";

  it("gives the processes that are new, the way in left out", () => {
    const after = `${BEFORE}    777 27336 tuned\n    778  9000 sshd\n    779  1200 ps\n    300  4100 new name\n`;
    expect(residentsOf(BEFORE, after)).toEqual([
      { name: "tuned", rssKiB: 27_336 },
      { name: "new name", rssKiB: 4100 },
    ]);
  });

  it("gives none when all was there before, whatever it has grown to", () => {
    expect(residentsOf(BEFORE, BEFORE.replace("11976", "12000"))).toEqual([]);
  });
});
