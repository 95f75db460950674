import { API_VERSION, type HostProfileInput } from "../../host-tuning/profile/host-profile.ts";
import type { HostReport } from "../../host-tuning/report/host-report.ts";

const BECAUSE = "as TuneD's throughput-performance";

/** Shares of memory that throughput-performance lets dirty pages take (vm.dirty_ratio 40, vm.dirty_background_ratio 10). */
const DIRTY_SHARE = 0.4;
const DIRTY_BACKGROUND_SHARE = 0.1;

/**
 * A profile that sets what TuneD's throughput-performance sets, to the same effect, and leaves every other knob that
 * `full`, an apply of the preset alone, has changed. Its somaxconn is what the kernel has already, for both.
 */
export function sameSettingsProfile(full: Pick<HostReport, "entries">, memoryMiB: number): HostProfileInput {
  const bytesOf = (share: number): number => Math.floor(memoryMiB * share) * 1024 ** 2;
  const values: Readonly<Record<string, number | string>> = {
    scaling_governor: "performance",
    "queue/read_ahead_kb": 4096,
    "vm.swappiness": 10,
    "vm.dirty_bytes": bytesOf(DIRTY_SHARE),
    "vm.dirty_background_bytes": bytesOf(DIRTY_BACKGROUND_SHARE),
  };
  const others = full.entries
    .filter(({ outcome, knob }) => outcome === "changed" && !(knob in values))
    .map(({ knob }) => knob);
  return {
    apiVersion: API_VERSION,
    kind: "HostProfile",
    preset: "throughput",
    allowLowering: true,
    // The VM's network has no gateway that could confirm what lowering does to the NIC, and apply would wait for one.
    confirm: { gateway: false },
    overrides: {
      ...Object.fromEntries(
        [...new Set(others)].map((knob) => [knob, { leave: true, because: "TuneD leaves it" }]),
      ),
      ...Object.fromEntries(
        Object.entries(values).map(([knob, value]) => [knob, { value, because: BECAUSE }]),
      ),
    },
  };
}
