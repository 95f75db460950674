import { describe, expect, it } from "vitest";
import { fsFileMax } from "../../../host-tuning/knobs/fs-file-max.ts";
import { fsNrOpen } from "../../../host-tuning/knobs/fs-nr-open.ts";
import { systemdLimitNofile } from "../../../host-tuning/knobs/systemd-limit-nofile.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { decide, valueSet } from "../../helpers/decide.ts";
import { createHostRoot } from "../../helpers/host-root.ts";

const MANY = { workload: { connections: 600_000 } };

describe("systemd.LimitNOFILE desired()", () => {
  it("gives the soft limit that the peak needs and keeps systemd's hard limit", () => {
    expect(valueSet(systemdLimitNofile, { current: "1024:524288" })).toBe("8192:524288");
  });

  it("raises the hard limit for more connections, never above fs.nr_open as that knob raises it", () => {
    const value = String(valueSet(systemdLimitNofile, { current: "1024:524288", profile: MANY }));
    expect(value).toBe("1048576:4194304");
    const hard = Number(value.split(":")[1]);
    expect(valueSet(fsNrOpen, { current: 1_048_576, profile: MANY })).toBe(hard);
  });

  it("keeps a larger limit and raises only the smaller one of the two", () => {
    expect(decide(systemdLimitNofile, { current: "65536:1048576" }).because).toContain(
      "service has 65536:1048576",
    );
    expect(valueSet(systemdLimitNofile, { current: "1024:1048576" })).toBe("8192:1048576");
    expect(valueSet(systemdLimitNofile, { current: "65536:65536" })).toBe("65536:524288");
  });

  it("never writes infinity", () => {
    expect(valueSet(systemdLimitNofile, { current: "1024:infinity" })).toBe("8192:524288");
    expect(systemdLimitNofile.value.safeParse("1024:infinity").success).toBe(false);
    expect(systemdLimitNofile.value.safeParse("2048:1024").success).toBe(false);
  });

  it("judges by what the next start brings, so that nothing is written twice", () => {
    const pending = "1024:524288, 8192:524288 after a restart";
    expect(valueSet(systemdLimitNofile, { current: pending })).toBe("8192:524288");
    const larger = "1024:524288, 65536:1048576 after a restart";
    expect(decide(systemdLimitNofile, { current: larger }).because).toContain("service has 65536:1048576");
    expect(systemdLimitNofile.isSatisfied?.(pending, "8192:524288")).toBe(true);
    expect(systemdLimitNofile.isSatisfied?.(pending, "1024:524288")).toBe(false);
  });
});

describe("systemd.LimitNOFILE read()", () => {
  const UNIT = { name: "mcp-service.service" };
  const DROP_IN = "/etc/systemd/system/mcp-service.service.d/50-bedplate-limits.conf";

  it("is the running process's, with what a restart will bring beside it", async () => {
    await using host = await createHostRoot({
      "/etc/systemd/system/mcp-service.service": "[Service]\nExecStart=/bin/true\n",
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": "77\n78\n",
      "/proc/77/limits":
        "Limit                     Soft Limit           Hard Limit           Units     \nMax open files            1024                 4096                 files     \n",
    });
    expect(await systemdLimitNofile.read(openHost(host.root), UNIT)).toBe(
      "1024:4096, 1024:524288 after a restart",
    );
    await host.write(DROP_IN, "[Service]\nLimitNOFILE=1024:4096\n");
    expect(await systemdLimitNofile.read(openHost(host.root), UNIT)).toBe("1024:4096");
  });

  it("is the configuration's while the service does not run", async () => {
    await using host = await createHostRoot({
      "/etc/systemd/system/mcp-service.service": "[Service]\nLimitNOFILE=4096\n",
    });
    expect(await systemdLimitNofile.read(openHost(host.root), UNIT)).toBe("4096:4096");
    await host.write(DROP_IN, "[Service]\nLimitNOFILE=8192:infinity\nLimitNOFILE=lots\n");
    expect(await systemdLimitNofile.read(openHost(host.root), UNIT)).toBe("8192:infinity");
  });

  it("fails when the process's limits have no such line", async () => {
    await using host = await createHostRoot({
      "/etc/systemd/system/x": "",
      "/sys/fs/cgroup/system.slice/mcp-service.service/cgroup.procs": "77\n",
      "/proc/77/limits": "Limit  Soft Limit\n",
    });
    await expect(systemdLimitNofile.read(openHost(host.root), UNIT)).rejects.toThrow(
      'Cannot read /proc/77/limits: no line "Max open files"',
    );
  });
});

describe("fs.nr_open and fs.file-max", () => {
  it("stay where they are enough", () => {
    expect(valueSet(fsNrOpen, { current: 1_073_741_816 })).toBeUndefined();
    expect(valueSet(fsFileMax, { current: 400_000 })).toBeUndefined();
  });

  it("hold the service twice, and its hard limit", () => {
    expect(valueSet(fsFileMax, { current: 65_536, profile: { workload: { connections: 50_000 } } })).toBe(
      196_608,
    );
    expect(valueSet(fsNrOpen, { current: 1_048_576 })).toBe(1_048_576);
  });

  it("reads systemd's 2^63-1 as more than any knob asks for", async () => {
    await using host = await createHostRoot({ "/proc/sys/fs/file-max": "9223372036854775807\n" });
    const current = await fsFileMax.read(openHost(host.root), { name: "" });
    expect(current).toBe(Number.MAX_SAFE_INTEGER);
    expect(fsFileMax.format?.(current)).toBe("2^53 or more");
    expect(decide(fsFileMax, { current }).because).toContain("host has no limit to speak of");
  });
});
