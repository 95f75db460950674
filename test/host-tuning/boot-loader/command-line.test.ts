import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseCommandLine, withArgument, wordsNamed } from "../../../host-tuning/boot-loader/command-line.ts";
import { parseCpuList } from "../../../host-tuning/boot-loader/cpu-list.ts";

describe("parseCommandLine()", () => {
  it("keeps blanks inside quotes, and takes the quotes away", () => {
    const line = 'ro dyndbg="file drivers/usb/* +p" "foo=a b" quiet';
    expect(parseCommandLine(line).map(({ name, value }) => [name, value])).toEqual([
      ["ro", undefined],
      ["dyndbg", "file drivers/usb/* +p"],
      ["foo", "a b"],
      ["quiet", undefined],
    ]);
  });

  it("ends at --, as what follows is for init", () => {
    expect(parseCommandLine("ro -- isolcpus=1")).toHaveLength(1);
  });

  it("takes - and _ in a name as the same, as the kernel does", () => {
    expect(wordsNamed("intel-iommu=on", "intel_iommu")).toEqual(["intel-iommu=on"]);
  });
});

describe("wordsNamed()", () => {
  it("never takes a part of a word for the word (SR-IOV operator: iommu in intel_iommu)", () => {
    const line = "intel_iommu=on iommu.strict=0 amd_iommu=pt nohz_full=1 nohz=off xiommu=pt";
    expect(wordsNamed(line, "iommu")).toEqual([]);
    expect(wordsNamed(line, "nohz")).toEqual(["nohz=off"]);
  });

  it("tells hugepages= by the size before it", () => {
    const line = "hugepages=9 hugepagesz=2M hugepages=512 hugepagesz=1024M quiet hugepages=4";
    expect(wordsNamed(line, "hugepages:1048576")).toEqual(["hugepagesz=1024M", "hugepages=4"]);
    expect(wordsNamed(line, "hugepages:2048")).toEqual(["hugepagesz=2M", "hugepages=512"]);
  });
});

describe("withArgument()", () => {
  it.each([
    ["ro  isolcpus=1 quiet", ["isolcpus=2-3"], "ro  isolcpus=2-3 quiet"],
    ["ro quiet", ["isolcpus=2"], "ro quiet isolcpus=2"],
    ["ro quiet -- single", ["isolcpus=2"], "ro quiet isolcpus=2 -- single"],
    ["isolcpus=1 ro", [], "ro"],
    ["ro isolcpus=1", [], "ro"],
    ["ro isolcpus=1  quiet isolcpus=4", ["isolcpus=2"], "ro isolcpus=2  quiet"],
    ["", ["isolcpus=2"], "isolcpus=2"],
    ["-- single", ["isolcpus=2"], "isolcpus=2 -- single"],
    ["isolcpus=1", [], ""],
  ])("%j with %j is %j", (line, words, wanted) => {
    expect(withArgument(line, "isolcpus", words)).toBe(wanted);
  });

  it("gives every byte back when what it added goes again", () => {
    const word = fc.stringMatching(/^[a-hj-z][a-z_]{0,6}(=[a-z0-9,:/-]{0,8}|="[a-z ]{0,8}")?$/);
    const blanks = fc.constantFrom(" ", "  ", "\t");
    const line = fc
      .array(fc.tuple(word, blanks), { maxLength: 8 })
      .map((parts) => parts.map(([text, blank]) => text + blank).join(""));
    fc.assert(
      fc.property(line, (before) => {
        const added = withArgument(before, "isolcpus", ["isolcpus=managed_irq,2-3"]);
        expect(wordsNamed(added, "isolcpus")).toEqual(["isolcpus=managed_irq,2-3"]);
        expect(withArgument(added, "isolcpus", [])).toBe(before);
      }),
    );
  });
});

describe("parseCpuList()", () => {
  it.each([
    ["5,0-3", [0, 1, 2, 3, 5]],
    ["all", [0, 1, 2, 3, 4, 5, 6, 7]],
    ["4-N", [4, 5, 6, 7]],
    ["0-7:1/4", [0, 4]],
    ["N", [7]],
    ["3-1", undefined],
    ["0-7:1/0", undefined],
    ["domain", undefined],
  ])("%s on a host whose last CPU is 7", (text, wanted) => {
    expect(parseCpuList(text, 7)).toEqual(wanted);
  });
});
