import type { LocalVm } from "../../components/hosts/local-vm/vm-state.ts";

/**
 * Keeps the bytes of everything a knob might write, before the agent has ever run. In Python because the guest has it
 * for cloud-init, and so that nothing of Bedplate is trusted for this. Argument: the file to write.
 */
export const TAKE_BASELINE = `
import base64, glob, json, os, sys
out = sys.argv[1]
if not os.path.exists(out):
    folders = ["/proc/sys", "/sys/kernel/mm", "/sys/devices/virtual/workqueue", "/sys/devices/system/cpu/cpufreq",
        "/sys/devices/system/clocksource", "/sys/devices/system/node"]
    folders += glob.glob("/sys/block/*/queue") + glob.glob("/sys/class/net/*/queues")
    files = [os.path.join(at, name) for folder in folders for at, _, names in os.walk(folder) for name in names]
    for pattern in ["/proc/irq/*/smp_affinity_list", "/proc/irq/default_smp_affinity", "/sys/class/net/*/*",
        "/sys/bus/pci/devices/*/sriov_numvfs", "/sys/module/*/parameters/*"]:
        files += glob.glob(pattern)
    found = {}
    for path in files:
        try:
            with open(path, "rb") as f: found[os.path.realpath(path)] = base64.b64encode(f.read(65536)).decode()
        except OSError: pass
    with open(out, "w") as f: json.dump(found, f)
`;

/** Kernel files whose bytes are not those of the baseline, or that it does not hold. */
export async function unlikeBaseline(
  vm: LocalVm,
  baselinePath: string,
  paths: ReadonlySet<string>,
): Promise<object[]> {
  const baseline = JSON.parse((await vm.readFile(baselinePath))?.toString("utf8") ?? "{}") as Record<
    string,
    string
  >;
  const now = await vm.ssh(
    `while read -r f; do printf '%s %s %s\\n' "$f" "$(realpath "$f")" "$(base64 -w0 "$f")"; done`,
    { input: [...paths].map((path) => `${path}\n`).join(""), timeoutMillis: 120_000 },
  );
  const lines = now.stdout.trim().split("\n");
  if (lines.length !== paths.size)
    throw new Error(`${lines.length} of ${paths.size} files read: ${now.stderr}`);
  return lines
    .map((line) => {
      const [file, real, bytes] = line.split(" ");
      return { file, bytes, was: baseline[real ?? ""] };
    })
    .filter(({ bytes, was }) => was === undefined || bytes !== was);
}
