import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readChosen } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/transparent_hugepage/enabled";

/**
 * transparent_hugepage/enabled: which programs get 2 MiB pages without asking.
 *
 * The public tuners disagree, because the right answer is the workload's: TuneD says `never` for network latency and
 * databases and `always` for HPC, rpk says `always`, SUSE says `madvise`. An MCP server is Node: a heap of many small,
 * short-lived regions, where `always` rounds each up to 2 MiB of resident memory and lets khugepaged compact behind
 * the event loop. `madvise` gives huge pages to exactly those programs that ask (JVM, vector indexes, allocators).
 */
export const transparentHugepageEnabled = defineKnob<string>({
  id: "transparent_hugepage/enabled",
  title: "Who gets transparent huge pages",
  family: "memory",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "a program that gained from huge pages without asking for them loses them" },
  isReversible: true,
  anchors: {
    TuneD: "never in network-latency, postgresql, oracle; always in hpc-compute, mssql; madvise in sap-hana",
    rpk: "always",
    saptune: "madvise on SLES 16",
  },
  kernelDefault: "always or madvise, by the distribution's build (Debian: always; Ubuntu: madvise)",
  sources: [
    "https://docs.kernel.org/admin-guide/mm/transhuge.html",
    "https://github.com/redhat-performance/tuned/blob/2bfa442/profiles/network-latency/tuned.conf",
  ],
  value: z.enum(["always", "madvise", "never"]),

  read: (host) => readChosen(host, PATH),

  desired({ profile, current }) {
    if (current === "never" && profile.preset === "latency") {
      return leave("host has never, which serves latency too: no program gets a compaction stall");
    }
    const asks = profile.workload.usesMemoryMaps
      ? "the profile's memory maps can ask for them with madvise(2)"
      : "only programs that ask get them";
    return setTo(
      "madvise",
      `tuners disagree (always for HPC, never for latency) and the workload decides: Node keeps many small regions that always would round up to 2 MiB; ${asks}`,
    );
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
