import { describe, expect, it } from "vitest";
import {
  readServicePid,
  readUnitAssignments,
  readUnitList,
} from "../../../host-tuning/knobs/systemd-unit.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";

async function assignments(tree: HostTree, unit: string, key: string): Promise<string[]> {
  await using host = await createHostRoot(tree);
  return await readUnitAssignments(openHost(host.root), unit, key);
}

async function pid(tree: HostTree, unit: string): Promise<number | undefined> {
  await using host = await createHostRoot(tree);
  return await readServicePid(openHost(host.root), unit);
}

describe("readUnitAssignments()", () => {
  it("reads the unit of the first folder and then drop-ins by file name", async () => {
    const tree = {
      "/usr/lib/systemd/system/a.service": "[Service]\nNice=1\n",
      "/etc/systemd/system/a.service": "[Service]\n# Nice=9\nNice=2\n",
      "/etc/systemd/system/a.service.d/90-last.conf": "[Service]\nNice=5\n",
      "/usr/lib/systemd/system/a.service.d/10-vendor.conf": "[Service]\n Nice= 3\n",
      "/run/systemd/system/a.service.d/50-run.conf": "[Service]\nNice=4\n",
      "/run/systemd/system/a.service.d/readme.txt": "[Service]\nNice=8\n",
    };
    expect(await assignments(tree, "a.service", "Nice")).toEqual(["2", "3", "4", "5"]);
  });

  it("lets a drop-in in /etc hide one of the same name", async () => {
    const tree = {
      "/usr/lib/systemd/system/a.service.d/10-x.conf": "[Service]\nNice=3\n",
      "/etc/systemd/system/a.service.d/10-x.conf": "[Unit]\nNice=7\n",
    };
    expect(await assignments(tree, "a.service", "Nice")).toEqual([]);
  });

  it("takes an instance's template and its drop-ins", async () => {
    const tree = {
      "/etc/systemd/system/tools@.service": "[Service]\nNice=1\n",
      "/etc/systemd/system/tools@.service.d/10-all.conf": "[Service]\nNice=2\n",
      "/etc/systemd/system/tools@7.service.d/20-one.conf": "[Service]\nNice=3\n",
    };
    expect(await assignments(tree, "tools@7.service", "Nice")).toEqual(["1", "2", "3"]);
  });
});

describe("readUnitList()", () => {
  it("adds assignments up and starts anew at an empty one, as systemd does", async () => {
    await using host = await createHostRoot({
      "/etc/systemd/system/a.service": "[Service]\nAllowedCPUs=0-3\nAllowedCPUs=6, 7\nNUMAMask=0\n",
      "/etc/systemd/system/a.service.d/50-x.conf": "[Service]\nNUMAMask=\nNUMAMask=1\n",
    });
    const tree = openHost(host.root);
    expect(await readUnitList(tree, "a.service", "AllowedCPUs")).toBe("0-3,6-7");
    expect(await readUnitList(tree, "a.service", "NUMAMask")).toBe("1");
    expect(await readUnitList(tree, "b.service", "NUMAMask")).toBe("");
  });
});

describe("readServicePid()", () => {
  it("is the first process of the unit's cgroup in system.slice", async () => {
    const cgroup = "/sys/fs/cgroup/system.slice/a.service/cgroup.procs";
    expect(await pid({ [cgroup]: "41\n42\n" }, "a.service")).toBe(41);
    expect(await pid({ [cgroup]: "\n" }, "a.service")).toBeUndefined();
    expect(await pid({}, "a.service")).toBeUndefined();
  });

  it("follows the unit's slice, nested by its dashes", async () => {
    const tree = {
      "/etc/systemd/system/a.service": "[Service]\nSlice=mcp-tools.slice\n",
      "/sys/fs/cgroup/mcp.slice/mcp-tools.slice/a.service/cgroup.procs": "43\n",
    };
    expect(await pid(tree, "a.service")).toBe(43);
  });

  it("finds an instance in its template's slice", async () => {
    const tree = {
      [String.raw`/sys/fs/cgroup/system.slice/system-my\x2dtools.slice/my-tools@7.service/cgroup.procs`]:
        "44\n",
    };
    expect(await pid(tree, "my-tools@7.service")).toBe(44);
  });
});
