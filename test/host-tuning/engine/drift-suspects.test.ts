import { utimes } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  readAuditTraces,
  readPackageChanges,
  readUnitStarts,
} from "../../../host-tuning/engine/drift-evidence.ts";
import { readScene, readSuspects } from "../../../host-tuning/engine/drift-suspects.ts";
import type { HostFacts } from "../../../host-tuning/facts/host-facts.ts";
import type { ToolResult } from "../../../host-tuning/sys/host.ts";
import { type LiveHost, openHost } from "../../../host-tuning/sys/live-host.ts";
import { sampleFacts } from "../../helpers/facts.ts";
import { type HostTree, createHostRoot } from "../../helpers/host-root.ts";
import { numberKnob } from "./demo-knobs.ts";

const PATH = "/proc/sys/net/core/somaxconn";
const START_SECONDS = 1_763_600_000;
const SPAN = { fromMillis: START_SECONDS * 1000, toMillis: (START_SECONDS + 900) * 1000 };

/** As auditd 3.0 writes them for `auditctl -w /proc/sys/net/core/somaxconn -p wa` and an execve rule. */
const AUDIT_LOG = [
  `type=SYSCALL msg=audit(${START_SECONDS - 10}.100:41): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c ppid=1 pid=11 auid=0 uid=0 comm="early" exe="/usr/bin/early" key="t"`,
  `type=PATH msg=audit(${START_SECONDS - 10}.100:41): item=0 name="${PATH}" inode=1 dev=00:14 mode=0100644`,
  `type=SYSCALL msg=audit(${START_SECONDS + 60}.123:42): arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c ppid=801 pid=812 auid=1000 uid=0 comm="sysctl" exe="/usr/sbin/sysctl" key="tuning"`,
  `type=PATH msg=audit(${START_SECONDS + 60}.123:42): item=0 name="${PATH}" inode=1 dev=00:14 mode=0100644`,
  `type=SYSCALL msg=audit(${START_SECONDS + 70}.000:43): arch=c000003e syscall=59 success=yes exit=0 pid=900 auid=4294967295 uid=0 comm="sysctl" exe="/usr/sbin/sysctl" key=(null)`,
  `type=EXECVE msg=audit(${START_SECONDS + 70}.000:43): argc=3 a0="sysctl" a1="-w" a2="net.core.somaxconn=128"`,
  `type=SYSCALL msg=audit(${START_SECONDS + 80}.000:44): arch=c000003e syscall=257 success=no exit=-13 pid=901 auid=1000 comm="cat" exe="/usr/bin/cat"`,
  `type=PATH msg=audit(${START_SECONDS + 80}.000:44): item=0 name="${PATH}"`,
  `type=SYSCALL msg=audit(${START_SECONDS + 81}.000:45): arch=c000003e syscall=257 success=yes pid=902 auid=1000 exe="/usr/bin/other"`,
  `type=PATH msg=audit(${START_SECONDS + 81}.000:45): item=0 name="${PATH}_other"`,
  `type=SYSCALL msg=audit(${START_SECONDS + 82}.000:46): arch=c000003e syscall=59 success=yes pid=903 auid=1001 exe="/usr/bin/dash"`,
  `type=EXECVE msg=audit(${START_SECONDS + 82}.000:46): argc=2 a0="sh" a1=${Buffer.from("net.core.somaxconn=1 x").toString("hex").toUpperCase()}`,
  "garbage",
  "",
].join("\n");

/** A captured tree whose tools answer: systemctl and journalctl speak of a running machine only. */
function withTools(host: LiveHost, answers: Readonly<Record<string, string>>): LiveHost {
  return new Proxy(host, {
    get(target, name) {
      if (name === "runTool") {
        return (tool: string): Promise<ToolResult | undefined> =>
          Promise.resolve(
            answers[tool] === undefined ? undefined : { exitCode: 0, stdout: answers[tool], stderr: "" },
          );
      }
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function suspectsOn(
  tree: HostTree,
  ownership: HostFacts["ownership"],
  answers: Readonly<Record<string, string>> = {},
  paths = [PATH],
): Promise<string[]> {
  await using root = await createHostRoot({ "/keep": "", ...tree });
  for (const path of Object.keys(tree)) {
    const changed = path.includes("fresh") ? START_SECONDS + 30 : START_SECONDS - 86_400;
    await utimes(join(root.root, path), changed, changed);
  }
  const scene = await readScene(withTools(openHost(root.root), answers), sampleFacts({ ownership }));
  const suspects = await readSuspects(scene, {
    knob: { ...numberKnob("x", 1), id: "net.core.somaxconn" },
    paths,
    found: "128",
    span: SPAN,
  });
  return suspects.map(({ who, confidence, evidence }) => `${confidence} | ${who} | ${evidence}`);
}

const sysctlFile = (source: string, value = "128"): HostFacts["ownership"][number] => ({
  owner: "sysctl.d",
  key: "net.core.somaxconn",
  source,
  value,
  hold: "boot",
});

const RESTARTED = `Id=systemd-sysctl.service\nExecMainStartTimestamp=@${START_SECONDS + 100}\nActiveEnterTimestamp=@${START_SECONDS + 101}\n`;

describe("readSuspects()", () => {
  it("is sure of what the audit log saw at the file or in the arguments, in that time", async () => {
    expect(await suspectsOn({ "/var/log/audit/audit.log": AUDIT_LOG }, [])).toEqual([
      "certain | /usr/sbin/sysctl (pid 812, login uid 1000) | audit log, 2025-11-20T00:54:20Z",
      "certain | /usr/sbin/sysctl (pid 900, no login) | audit log, 2025-11-20T00:54:30Z",
      "certain | /usr/bin/dash (pid 903, login uid 1001) | audit log, 2025-11-20T00:54:42Z",
    ]);
  });

  it("finds a file likely whose value was found and whose unit ran in that time", async () => {
    expect(
      await suspectsOn({ "/etc/sysctl.d/90-db.conf": "" }, [sysctlFile("/etc/sysctl.d/90-db.conf")], {
        systemctl: RESTARTED,
      }),
    ).toEqual([
      'likely | sysctl.d (/etc/sysctl.d/90-db.conf) | it sets the value found, "128"; systemd-sysctl.service started at 2025-11-20T00:55:01Z',
    ]);
  });

  it("finds it possible where only the value fits, and likely when the file is new", async () => {
    expect(await suspectsOn({ "/etc/a.conf": "" }, [sysctlFile("/etc/a.conf")])).toEqual([
      'possible | sysctl.d (/etc/a.conf) | it sets the value found, "128"',
    ]);
    expect(await suspectsOn({ "/etc/fresh.conf": "" }, [sysctlFile("/etc/fresh.conf")])).toEqual([
      'likely | sysctl.d (/etc/fresh.conf) | it sets the value found, "128"; the file was changed at 2025-11-20T00:53:50Z',
    ]);
  });

  it("never accuses who sets another value, or containers alone", async () => {
    expect(
      await suspectsOn({}, [
        sysctlFile("/etc/a.conf", "512"),
        { ...sysctlFile("/etc/crio/crio.conf"), owner: "cri-o", hold: "containers" },
      ]),
    ).toEqual([]);
  });

  it("names a tuner that sets it again and again, a udev rule, a command by sudo and a package", async () => {
    const rule = 'ACTION=="add|change", KERNEL=="sd*", ATTR{queue/scheduler}="bfq"\n';
    expect(
      await suspectsOn(
        {
          "/usr/lib/udev/rules.d/60-io.rules": rule,
          "/etc/udev/rules.d/70-other.rules": 'ATTR{queue/rotational}="0"\n',
          "/var/log/dpkg.log": "",
        },
        [{ owner: "bpftune", key: PATH, source: "/etc/x/bpftune.service", value: null, hold: "always" }],
        {
          journalctl: `    ada : TTY=pts/0 ; PWD=/root ; USER=root ; COMMAND=/usr/sbin/sysctl -w net.core.somaxconn=128\n`,
        },
        [PATH, "/sys/block/sda/queue/scheduler"],
      ),
    ).toEqual([
      "likely | ada ran /usr/sbin/sysctl -w net.core.somaxconn=128 | journal of sudo",
      "likely | bpftune (/etc/x/bpftune.service) | it sets this again and again",
      "possible | udev rule /usr/lib/udev/rules.d/60-io.rules | it sets this attribute when the device is added or changes",
    ]);
  });
});

describe("readPackageChanges()", () => {
  const local = (seconds: number): string => {
    const at = new Date(seconds * 1000);
    const pad = (number: number): string => String(number).padStart(2, "0");
    return `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())} ${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`;
  };

  it("reads dpkg's log in local time and dnf's with its offset, each package once, in that time alone", async () => {
    await using root = await createHostRoot({
      "/var/log/dpkg.log": [
        `${local(START_SECONDS - 60)} upgrade early:amd64 1 2`,
        `${local(START_SECONDS + 60)} startup archives unpack`,
        `${local(START_SECONDS + 60)} upgrade procps:amd64 2:4.0.2-3 2:4.0.2-4`,
        `${local(START_SECONDS + 60)} status installed procps:amd64 2:4.0.2-4`,
        `${local(START_SECONDS + 61)} install tuned:all <none> 2.20`,
        `${local(START_SECONDS + 62)} upgrade procps:amd64 a b`,
      ].join("\n"),
      "/var/log/dnf.log": "2025-11-20T01:54:00+0100 SUBDEBUG Upgraded: systemd-252-1.amzn2023.x86_64\n",
    });
    expect(await readPackageChanges(openHost(root.root), SPAN)).toBe(
      "procps, tuned, systemd-252-1.amzn2023.x86_64",
    );
  });
});

describe("readUnitStarts()", () => {
  it("takes the last start of each unit that ever ran", async () => {
    await using root = await createHostRoot({ "/keep": "" });
    const answer = `${RESTARTED}\nId=tuned.service\nExecMainStartTimestamp=\nActiveEnterTimestamp=\n`;
    const starts = await readUnitStarts(withTools(openHost(root.root), { systemctl: answer }), ["x.service"]);
    expect([...starts]).toEqual([["systemd-sysctl.service", (START_SECONDS + 101) * 1000]]);
  });
});

describe("readAuditTraces()", () => {
  it("is empty without a log", async () => {
    await using root = await createHostRoot({ "/keep": "" });
    expect(await readAuditTraces(openHost(root.root), [PATH], SPAN)).toEqual([]);
  });
});
