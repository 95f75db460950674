import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { applyPlan } from "../../../host-tuning/engine/apply-plan.ts";
import { rollbackHost } from "../../../host-tuning/engine/rollback-host.ts";
import { KNOBS } from "../../../host-tuning/knobs/index.ts";
import type { AnyKnob, Write } from "../../../host-tuning/knobs/knob.ts";
import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import type { ToolResult } from "../../../host-tuning/sys/host.ts";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts, sampleProfile } from "../../helpers/facts.ts";
import { type HostRoot, createHostRoot } from "../../helpers/host-root.ts";

/** Values that settings made by tools take; two that a knob accepts are its before and its after. */
const NUMBERS = [1, 2, 16, 64, 256, 512, 0, 150, 1000, 9000, 300];
const WORDS = [
  "on",
  "off",
  "0",
  "1",
  "Default",
  "default",
  "Exclusive_Process",
  "exclusive-process",
  "dscp",
  "pcp",
];
const NAMES = [
  "02:00:00:00:00:01",
  "02:00:00:00:00:02",
  "vfio-pci",
  "igbvf",
  "mlx5_core",
  "network",
  "3",
  "3,4",
  "",
];
const GPU_WORDS = [
  "210-1410",
  "300-1200",
  "1g.10gb",
  "1g.10gb,1g.10gb",
  "none",
  "Enabled",
  "Disabled",
  true,
  false,
];
const CANDIDATES: readonly unknown[] = [...NUMBERS, ...WORDS, ...NAMES, ...GPU_WORDS];

const TARGETS = ["eno1", "eno1/vf0", "0000:81:00.0/vf0", "gpu0", "GPU-0", "0000:41:00.0", "md/bedplate", ""];

interface ToolCase {
  readonly knob: AnyKnob;
  readonly target: string;
  readonly before: unknown;
  readonly after: unknown;
  readonly writes: readonly Write[];
}

/** A knob's target, before and after by which it writes through a tool; `undefined` when it never does. */
function caseOf(knob: AnyKnob): ToolCase | undefined {
  const values = CANDIDATES.filter((value) => knob.value.safeParse(value).success);
  for (const target of TARGETS) {
    for (const before of values) {
      for (const after of values.filter((value) => value !== before)) {
        const writes = writesOf(knob, after, target, before);
        if (writes.some((write) => write.kind === "tool")) return { knob, target, before, after, writes };
      }
    }
  }
  return undefined;
}

function writesOf(knob: AnyKnob, after: unknown, target: string, before: unknown): readonly Write[] {
  try {
    return knob.writes(after, { name: target }, before);
  } catch {
    // Not a target or a value of this knob: another candidate is tried.
    return [];
  }
}

const CASES = KNOBS.map(caseOf).filter((found) => found !== undefined);

type Answer = ToolResult | undefined;
const OK: ToolResult = { exitCode: 0, stdout: "", stderr: "" };

/** How a tool goes wrong, and what the report has to say of it. */
const FAULTS: readonly { readonly name: string; readonly answer: Answer; readonly because: RegExp }[] = [
  {
    name: "exit code 1",
    answer: { exitCode: 1, stdout: "", stderr: "netlink error: Operation not permitted\n" },
    because: /exit code 1, "netlink error: Operation not permitted"/,
  },
  { name: "no such tool", answer: undefined, because: /not installed|this root is not the machine/ },
  {
    name: "no answer in time",
    answer: { exitCode: 124, stdout: "", stderr: "no answer within 30 s" },
    because: /exit code 124, "no answer within 30 s"/,
  },
  { name: "exit code 0 and nothing done", answer: OK, because: /after the write/ },
];

/** A neighbour that is no tool's: it has to land whatever a tool does. */
const NEIGHBOUR = KNOBS.filter((knob) => knob.id === "net.ipv4.tcp_slow_start_after_idle");

describe("tools that go wrong", () => {
  let root: HostRoot;
  const path = "/proc/sys/net/ipv4/tcp_slow_start_after_idle";

  beforeAll(async () => {
    root = await createHostRoot({ [path]: "1\n", "/proc/sys/kernel/random/boot_id": "one\n" });
  });

  afterAll(async () => {
    await root[Symbol.asyncDispose]();
  });

  afterEach(async () => {
    // A test that has failed leaves the next one the tree that it expects.
    await root.write(path, "1\n");
    await root.remove("/var/lib/bedplate");
  });

  /** The files of the root, with tools: a double, since none of their devices is here. */
  function hostWith(answer: (command: string) => Answer): LiveHost {
    return new Proxy(openHost(root.root), {
      get(host, name) {
        if (name === "runTool") {
          return async (tool: string, args: readonly string[]) =>
            await Promise.resolve(answer([tool, ...args].join(" ")));
        }
        const member: unknown = Reflect.get(host, name, host);
        return typeof member === "function" ? (member.bind(host) as unknown) : member;
      },
    });
  }

  /** The knob itself decides what to run; what its device holds is said by the test. */
  function knobOf({ knob, target, before, after }: ToolCase, held: { value: unknown }): AnyKnob {
    return {
      ...knob,
      canCutOff: false,
      // Values here are as plain as their schema lets them be; what knobs know about real ones has tests of its own.
      isSatisfied: (current, wanted) => current === wanted,
      format: (value) => JSON.stringify(value),
      explainShortfall: () => "the device held on to its setting",
      readShortfall: () => Promise.resolve(undefined),
      targets: () => [{ name: target }],
      read: async () => await Promise.resolve(held.value ?? before),
      desired: () => ({ kind: "set", value: after, because: "the test says so" }),
      isReversible: true,
    };
  }

  async function apply(host: LiveHost, knob: AnyKnob): Promise<HostReport> {
    return await applyPlan({
      host,
      facts: sampleFacts(),
      profile: sampleProfile({ consent: ["irreversible", "data-loss"] }),
      knobs: [...NEIGHBOUR, knob],
      phase: "all",
      readFactsAgain: () => Promise.resolve(sampleFacts()),
    });
  }

  it("are those of NICs, virtual functions, disks and GPUs", () => {
    expect(new Set(CASES.map(({ knob }) => knob.family))).toContain("nic");
    expect(CASES.length).toBeGreaterThan(15);
  });

  it.each(CASES.map((toolCase) => ({ id: toolCase.knob.id, toolCase })))("$id", async ({ toolCase }) => {
    for (const fault of FAULTS) {
      const host = hostWith(() => fault.answer);
      const report = await apply(host, knobOf(toolCase, { value: toolCase.before }));
      const entry = report.entries.find(({ knob }) => knob === toolCase.knob.id);
      const label = `${fault.name}: ${entry?.because}`;
      if (toolCase.knob.takesEffect === "reboot" && fault.answer === OK) {
        // Some cards say what is pending; where nothing is, a reboot will not bring it either.
        expect(["needs-reboot", "failed"], label).toContain(entry?.outcome);
      } else {
        expect(entry?.outcome, label).toBe("failed");
        expect(entry?.because).toMatch(fault.because);
      }
      expect(report.entries[0]?.outcome, fault.name).toBe("changed");
      expect(await root.read(path)).toBe("0\n");

      // A rollback whose tool fails keeps the original, and the next one puts it back with the undo that was saved.
      const knobs = [...NEIGHBOUR, knobOf(toolCase, { value: toolCase.before })];
      const names = { hostname: null, kernelRelease: null };
      const stuck = await rollbackHost({ host: hostWith(() => ({ ...OK, exitCode: 2 })), knobs, ...names });
      expect(stuck.counts.failed, fault.name).toBe(1);
      const ran: string[] = [];
      const undoing = hostWith((command) => {
        ran.push(command);
        return OK;
      });
      const back = await rollbackHost({ host: undoing, knobs, ...names });
      expect(back.counts.failed, fault.name).toBe(0);
      const undo = toolCase.writes.flatMap((write) => (write.kind === "tool" ? [write.undo.join(" ")] : []));
      expect(ran).toEqual(expect.arrayContaining(undo));
      expect(await root.read(path)).toBe("1\n");
    }
  });
});
