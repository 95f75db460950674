import { execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  grubDropInPath,
  parseGrubConfig,
  readGrubDropIn,
  renderGrubDropIn,
} from "../../../host-tuning/boot-loader/grub-config.ts";
import { openHost } from "../../../host-tuning/sys/live-host.ts";
import { createHostRoot } from "../../helpers/host-root.ts";
import { grubConfig } from "./loader-trees.ts";

interface Variables {
  readonly linux: string;
  readonly linuxDefault: string;
}

/** What a real shell makes of /etc/default/grub and the files beside it, read as grub-mkconfig does, with its `set -e`. */
function source(defaults: string, dropIns: Readonly<Record<string, string>>): Variables {
  const folder = mkdtempSync(join(tmpdir(), "bedplate-grub-"));
  try {
    mkdirSync(join(folder, "etc/default/grub.d"), { recursive: true });
    writeFileSync(join(folder, "etc/default/grub"), defaults);
    for (const [path, text] of Object.entries(dropIns)) writeFileSync(join(folder, path), text);
    const script =
      'set -e; . etc/default/grub; for x in etc/default/grub.d/*.cfg; do if [ -e "$x" ]; then . "./$x"; fi; done; printf "%s\\n%s\\n" "$GRUB_CMDLINE_LINUX" "$GRUB_CMDLINE_LINUX_DEFAULT"';
    const output = execFileSync("sh", ["-c", script.replace(". etc", ". ./etc")], {
      cwd: folder,
      encoding: "utf8",
      timeout: 20_000,
    });
    const [linux = "", linuxDefault = ""] = output.split("\n");
    return { linux, linuxDefault };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function dropIn(name: string, words: readonly string[]): Record<string, string> {
  return { [grubDropInPath(name)]: renderGrubDropIn(name, words) };
}

const DEFAULTS = `GRUB_CMDLINE_LINUX="rd.lvm=vg/root  dyndbg=\\"file a.c +p\\""\nGRUB_CMDLINE_LINUX_DEFAULT="quiet \\$vt_handoff"\n`;

describe("renderGrubDropIn()", () => {
  it("adds its words and leaves every other byte, quotes and escaped variables too", () => {
    expect(source(DEFAULTS, dropIn("isolcpus", ["isolcpus=managed_irq,2-3"]))).toEqual({
      linux: 'rd.lvm=vg/root  dyndbg="file a.c +p"',
      linuxDefault: "quiet $vt_handoff isolcpus=managed_irq,2-3",
    });
  });

  it("works beside others of its kind, and goes without a trace", () => {
    const both = { ...dropIn("nohz_full", ["nohz_full=2-3"]), ...dropIn("isolcpus", ["isolcpus=2-3"]) };
    expect(source(DEFAULTS, both).linuxDefault).toBe("quiet $vt_handoff isolcpus=2-3 nohz_full=2-3");
    expect(source(DEFAULTS, dropIn("nohz_full", ["nohz_full=2-3"])).linuxDefault).toBe(
      "quiet $vt_handoff nohz_full=2-3",
    );
  });

  it("leaves out what others have said of the same argument, and nothing that only looks like it", () => {
    const defaults =
      'GRUB_CMDLINE_LINUX="iommu=soft intel_iommu=on iommu=off iommu.strict=0"\nGRUB_CMDLINE_LINUX_DEFAULT="iommu=nopt"\n';
    expect(source(defaults, dropIn("iommu", ["iommu=pt"]))).toEqual({
      linux: " intel_iommu=on iommu.strict=0",
      linuxDefault: " iommu=pt",
    });
  });

  it("takes - for _ in what others have written", () => {
    const defaults =
      'GRUB_CMDLINE_LINUX="nvme-core.io-timeout=30 nvme_coreXio_timeout=1"\nGRUB_CMDLINE_LINUX_DEFAULT=""\n';
    const name = "nvme_core.io_timeout";
    expect(source(defaults, dropIn(name, [`${name}=4294967295`])).linux).toBe(" nvme_coreXio_timeout=1");
  });

  it("comes after what a cloud image sets anew", () => {
    const image = {
      "etc/default/grub.d/50-cloudimg-settings.cfg": 'GRUB_CMDLINE_LINUX_DEFAULT="console=ttyS0"\n',
    };
    expect(source(DEFAULTS, { ...dropIn("skew_tick", ["skew_tick=1"]), ...image }).linuxDefault).toBe(
      "console=ttyS0 skew_tick=1",
    );
  });

  it("takes an argument away when it has no words", () => {
    const defaults = 'GRUB_CMDLINE_LINUX=""\nGRUB_CMDLINE_LINUX_DEFAULT="quiet isolcpus=1 splash"\n';
    expect(source(defaults, dropIn("isolcpus", [])).linuxDefault).toBe("quiet splash");
  });
});

describe("readGrubDropIn()", () => {
  it.each([
    ["isolcpus", ["isolcpus=managed_irq,2-3"]],
    ["hugepages:1048576", ["hugepagesz=1G", "hugepages=0:8,1:8"]],
    ["isolcpus", []],
  ])("%s: gives back the words %j", async (name, words) => {
    await using host = await createHostRoot({ [grubDropInPath(name)]: renderGrubDropIn(name, words) });
    expect(await readGrubDropIn(openHost(host.root), name)).toBe(words.join(" "));
  });
});

describe("parseGrubConfig()", () => {
  it("takes the entries that boot this system, not recovery and not other systems", () => {
    expect(parseGrubConfig(grubConfig("6.1.0-40-amd64", "5b9a", "quiet isolcpus=2"))).toEqual([
      "root=UUID=5b9a ro  quiet isolcpus=2",
      "root=UUID=5b9a ro  quiet isolcpus=2",
    ]);
  });
});
