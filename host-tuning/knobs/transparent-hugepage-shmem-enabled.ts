import * as z from "zod";
import { leave, setTo } from "./desired.ts";
import { readChosen } from "./kernel-file.ts";
import { defineKnob } from "./knob.ts";

const PATH = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";

/**
 * transparent_hugepage/shmem_enabled: do shared memory and memfd get 2 MiB pages.
 *
 * `advise` where the profile's service keeps many mappings (vector index, JVM): it gives them to who asks with
 * madvise(2), as the setting for private memory does. `always` rounds every small segment up and comes down to advise.
 */
export const transparentHugepageShmemEnabled = defineKnob<string>({
  id: "transparent_hugepage/shmem_enabled",
  title: "Who gets transparent huge pages for shared memory",
  family: "memory",
  unit: "enum",
  scope: "host",
  phase: "early",
  takesEffect: "now",
  survivesReboot: false,
  risk: { level: "low", what: "shared memory of a program that asks grows to whole 2 MiB pages" },
  isReversible: true,
  kernelDefault: "never",
  kernelRange: "since Linux 4.8",
  sources: ["https://docs.kernel.org/admin-guide/mm/transhuge.html#hugepages-in-tmpfs-shmem"],
  value: z.enum(["always", "within_size", "advise", "never"]),

  read: (host) => readChosen(host, PATH),

  desired({ profile, current }) {
    if (current === "deny" || current === "force")
      return leave(`host has ${current}, a switch for tests that somebody has thrown`);
    if (current === "always")
      return setTo("advise", "with always every small segment takes 2 MiB; only programs that ask get them");
    if (profile.workload.usesMemoryMaps && current === "never")
      return setTo("advise", "the profile's memory maps can ask for huge pages with madvise(2)");
    return leave(`host has ${current}: no program gets huge pages that it did not ask for`);
  },

  writes: (value) => [{ kind: "kernel-file", path: PATH, text: `${value}\n` }],
});
