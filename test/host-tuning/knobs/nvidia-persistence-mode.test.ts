import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GpuFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { ToolWrite } from "../../../host-tuning/knobs/knob.ts";
import { nvidiaPersistenceMode as knob } from "../../../host-tuning/knobs/nvidia-persistence-mode.ts";
import { runTool } from "../../../host-tuning/sys/tool.ts";
import { factsOfShape, sampleProfile } from "../../helpers/facts.ts";
import { type ToolHost, toolHost } from "../../helpers/tool-host.ts";

const GPU: GpuFacts = {
  pciAddress: "0000:41:00.0",
  vendorId: "10de",
  deviceId: "2330",
  vendor: "NVIDIA",
  pciClass: "0x030200",
  node: 0,
  driver: "nvidia",
  linkSpeed: null,
  linkWidth: null,
  maxLinkSpeed: null,
  maxLinkWidth: null,
};
const TARGET = { name: GPU.pciAddress };

/**
 * A DOUBLE of nvidia-smi, as no test machine has such a GPU: it keeps the mode of one GPU in a file and knows the two
 * commands that the knob uses. What the real one prints is from its manual.
 */
const DOUBLE = `#!/bin/sh
mode="$(dirname "$0")/mode"
case "$*" in
  "--query-gpu=persistence_mode --format=csv,noheader -i 0000:41:00.0") cat "$mode" ;;
  "-i 0000:41:00.0 -pm 1") echo Enabled > "$mode"; echo "Enabled persistence mode for GPU 00000000:41:00.0." ;;
  "-i 0000:41:00.0 -pm 0") echo Disabled > "$mode"; echo "Disabled persistence mode for GPU 00000000:41:00.0." ;;
  *) echo "No devices were found"; exit 6 ;;
esac
`;

let folder: string;
let host: ToolHost;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "bedplate-gpu-"));
  await writeFile(join(folder, "nvidia-smi"), DOUBLE);
  await chmod(join(folder, "nvidia-smi"), 0o755);
  await writeFile(join(folder, "mode"), "Disabled\n");
  host = toolHost((tool, args) => runTool(join(folder, tool), args));
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("nvidia.persistence_mode", () => {
  it("acts on GPUs that run on NVIDIA's own driver, by PCI address", () => {
    const others = [
      { ...GPU, pciAddress: "0000:42:00.0", driver: "nouveau" },
      { ...GPU, pciAddress: "0000:43:00.0", driver: "vfio-pci" },
      { ...GPU, pciAddress: "0000:44:00.0", driver: null },
      { ...GPU, pciAddress: "0000:45:00.0", vendorId: "1002", driver: "amdgpu" },
    ];
    const targets = knob.targets?.({ ...factsOfShape(), gpus: [GPU, ...others] }, sampleProfile());
    expect(targets).toEqual([TARGET]);
    expect(knob.absentBecause).toContain("no GPU");
  });

  it("enables it and takes it back, with a double of nvidia-smi", async () => {
    expect(await knob.read(host, TARGET)).toBe("Disabled");
    const facts = { ...factsOfShape(), gpus: [GPU] };
    const desired = knob.desired({ facts, profile: sampleProfile(), current: "Disabled", target: TARGET });
    expect(desired).toMatchObject({ kind: "set", value: "Enabled" });

    const [write] = knob.writes("Enabled", TARGET, "Disabled") as [ToolWrite];
    const [tool, ...args] = write.command;
    expect(await host.runTool(tool, args)).toMatchObject({ exitCode: 0 });
    expect(await knob.read(host, TARGET)).toBe("Enabled");

    const [undoTool, ...undoArgs] = write.undo;
    expect(await host.runTool(undoTool, undoArgs)).toMatchObject({ exitCode: 0 });
    expect(await readFile(join(folder, "mode"), "utf8")).toBe("Disabled\n");
  });

  it("leaves it alone when the profile says so", () => {
    const profile = sampleProfile({ gpu: { persistenceMode: false } });
    const input = { facts: factsOfShape(), profile, current: "Disabled", target: TARGET };
    expect(knob.desired(input)).toMatchObject({ kind: "leave" });
  });

  it("has nothing where there is no nvidia-smi or the GPU does not know the mode", async () => {
    expect(
      await knob.read(
        toolHost(() => undefined),
        TARGET,
      ),
    ).toBeUndefined();
    const unknown = toolHost(() => ({ exitCode: 0, stdout: "[N/A]\n", stderr: "" }));
    expect(await knob.read(unknown, TARGET)).toBeUndefined();
  });

  it("fails with what nvidia-smi said", async () => {
    await expect(knob.read(host, { name: "0000:99:00.0" })).rejects.toThrow(
      "Cannot read persistence mode of 0000:99:00.0: nvidia-smi ended with 6: No devices were found",
    );
  });
});
