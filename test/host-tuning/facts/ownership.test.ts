import { describe, expect, test } from "vitest";
import { parseSysctlCommands, readOwnership } from "../../../host-tuning/facts/ownership.ts";
import {
  canonicalSysctlKey,
  parseSysctlFile,
  readSysctlSettings,
} from "../../../host-tuning/facts/sysctl-d.ts";
import { expandVariables, parseTunedProfile } from "../../../host-tuning/facts/tuned-profile.ts";
import type { HostTree } from "../../helpers/host-root.ts";
import { busyHost } from "./busy-host.ts";
import { readingOf } from "./facts-of.ts";

const SYSTEMD = { "/run/systemd/system/x": "" };

async function settingsOf(tree: HostTree): Promise<Record<string, string>> {
  const { value } = await readingOf({ ...SYSTEMD, ...tree }, readSysctlSettings);
  return Object.fromEntries(value.map(({ key, value, source }) => [key, `${value} ${source}`]));
}

describe("canonicalSysctlKey()", () => {
  test.each([
    ["net.ipv4.ip_forward", "net.ipv4.ip_forward"],
    ["net/ipv4/ip_forward", "net.ipv4.ip_forward"],
    ["net/ipv4/conf/eth0.100/forwarding", "net.ipv4.conf.eth0/100.forwarding"],
    ["net.ipv4.conf.eth0/100.forwarding", "net.ipv4.conf.eth0/100.forwarding"],
  ])("%s is %s", (key, expected) => {
    expect(canonicalSysctlKey(key)).toBe(expected);
  });
});

describe("parseSysctlFile()", () => {
  test("takes assignments, exemptions and comments, and says what it does not take", () => {
    const { lines, misunderstood } = parseSysctlFile(
      "# c\n; c\n\nvm.swappiness = 10\n-kernel/panic=5 \n-net.ipv4.conf.lo.rp_filter\nkernel.core_pattern=|/bin/x a=b\nnonsense\n= 3\nvm..x = 1\n",
    );
    expect(lines).toEqual([
      { key: "vm.swappiness", value: "10" },
      { key: "kernel.panic", value: "5" },
      { key: "net.ipv4.conf.lo.rp_filter", value: undefined },
      { key: "kernel.core_pattern", value: "|/bin/x a=b" },
    ]);
    expect(misunderstood).toEqual(["nonsense", "= 3", "vm..x = 1"]);
  });
});

describe("readSysctlSettings()", () => {
  test("a file in /etc hides the one of the same name in /run and /usr", async () => {
    expect(
      await settingsOf({
        "/usr/lib/sysctl.d/50-a.conf": "vm.swappiness=1\nkernel.panic=1\n",
        "/usr/local/lib/sysctl.d/50-a.conf": "vm.swappiness=2\n",
        "/run/sysctl.d/50-a.conf": "vm.swappiness=3\n",
        "/etc/sysctl.d/50-a.conf": "vm.swappiness=4\n",
      }),
    ).toEqual({ "vm.swappiness": "4 /etc/sysctl.d/50-a.conf" });
  });

  test("files go in the order of their names whatever their folder, and the last one wins in any spelling", async () => {
    expect(
      await settingsOf({
        "/etc/sysctl.d/10-a.conf": "vm.swappiness=1\nvm/max_map_count=1\n",
        "/usr/lib/sysctl.d/60-b.conf": "vm/swappiness=2\n",
        "/etc/sysctl.d/70-c.txt": "vm.swappiness=3\n",
      }),
    ).toEqual({
      "vm.swappiness": "2 /usr/lib/sysctl.d/60-b.conf",
      "vm.max_map_count": "1 /etc/sysctl.d/10-a.conf",
    });
  });

  test("a link to /dev/null hides the vendor's file", async () => {
    expect(
      await settingsOf({
        "/dev/null": "",
        "/etc/sysctl.d/10-a.conf": { link: "/dev/null" },
        "/usr/lib/sysctl.d/10-a.conf": "vm.swappiness=1\n",
      }),
    ).toEqual({});
  });

  test("a glob sets what is there, but neither what a file names nor what is exempt", async () => {
    const conf = "/proc/sys/net/ipv4/conf";
    expect(
      await settingsOf({
        "/etc/sysctl.d/10-a.conf": "net.ipv4.conf.eth1.rp_filter = 1\n-net.ipv4.conf.lo.rp_filter\n",
        "/usr/lib/sysctl.d/50-b.conf": "net.ipv4.conf.*.rp_filter = 2\n",
        [`${conf}/eth0/rp_filter`]: "0\n",
        [`${conf}/eth0.100/rp_filter`]: "0\n",
        [`${conf}/eth1/rp_filter`]: "0\n",
        [`${conf}/lo/rp_filter`]: "0\n",
        [`${conf}/eth0/forwarding`]: "0\n",
      }),
    ).toEqual({
      "net.ipv4.conf.eth0.rp_filter": "2 /usr/lib/sysctl.d/50-b.conf",
      "net.ipv4.conf.eth0/100.rp_filter": "2 /usr/lib/sysctl.d/50-b.conf",
      "net.ipv4.conf.eth1.rp_filter": "1 /etc/sysctl.d/10-a.conf",
    });
  });

  test("systemd reads /etc/sysctl.conf by a link alone, other init systems read it last", async () => {
    const tree = { "/etc/sysctl.conf": "vm.swappiness=9\n", "/etc/sysctl.d/10-a.conf": "vm.swappiness=1\n" };
    expect(await settingsOf(tree)).toEqual({ "vm.swappiness": "1 /etc/sysctl.d/10-a.conf" });
    expect(await settingsOf({ ...tree, "/etc/sysctl.d/99-sysctl.conf": { link: "../sysctl.conf" } })).toEqual(
      {
        "vm.swappiness": "9 /etc/sysctl.d/99-sysctl.conf",
      },
    );
    const { value } = await readingOf(tree, readSysctlSettings);
    expect(value).toEqual([{ key: "vm.swappiness", value: "9", source: "/etc/sysctl.conf" }]);
  });

  test("says where lines are no setting", async () => {
    const { unreadable } = await readingOf(
      { ...SYSTEMD, "/etc/sysctl.d/10-a.conf": "what is this\n" },
      readSysctlSettings,
    );
    expect(unreadable).toEqual([
      { path: "/etc/sysctl.d/10-a.conf", because: "1 lines are no sysctl setting" },
    ]);
  });
});

describe("readOwnership()", () => {
  test("names every owner with where it says so", async () => {
    const { value } = await readingOf(busyHost(), readOwnership);
    expect(value.map(({ owner, key, value }) => `${owner} ${key} ${value}`)).toEqual([
      "sysctl.d net.core.somaxconn 512",
      "sysctl.d net.ipv4.conf.ens3.rp_filter 2",
      "sysctl.d net.ipv4.tcp_tw_reuse 2",
      "sysctl.d vm.swappiness 10",
      "tuned /sys/devices/system/cpu/cpufreq/policy*/scaling_governor performance",
      "tuned vm.dirty_ratio 20",
      "tuned net.core.somaxconn >2048",
      "tuned /sys/block/*/queue/read_ahead_kb >4096",
      "irqbalance irq.affinity null",
      "kubelet vm.overcommit_memory 1",
      "kubelet vm.panic_on_oom 0",
      "kubelet kernel.panic 10",
      "kubelet kernel.panic_on_oops 1",
      "kubelet kernel.keys.root_maxkeys 1000000",
      "kubelet kernel.keys.root_maxbytes 25000000",
      "cni net.ipv4.ip_forward 1",
      "cni net.ipv4.conf.all.forwarding 1",
      "cni net.ipv4.conf.all.rp_filter null",
      "cni net.ipv4.conf.default.rp_filter null",
      "cni net.ipv6.conf.all.forwarding null",
      "cloud-init net.core.rmem_max 4194304",
    ]);
    expect(value.find(({ owner }) => owner === "kubelet")?.source).toBe(
      "/var/lib/kubelet/config.yaml (protectKernelDefaults true)",
    );
  });

  test("knows its own file", async () => {
    const { value } = await readingOf(
      { ...SYSTEMD, "/etc/sysctl.d/90-bedplate.conf": "vm.swappiness=10\n" },
      readOwnership,
    );
    expect(value).toMatchObject([{ owner: "bedplate", key: "vm.swappiness" }]);
  });

  test("TuneD and irqbalance that are installed and not enabled own nothing", async () => {
    const { value } = await readingOf(
      {
        "/etc/tuned/active_profile": "x\n",
        "/etc/tuned/x/tuned.conf": "[sysctl]\nvm.swappiness=1\n",
        "/lib/systemd/system/irqbalance.service": "",
      },
      readOwnership,
    );
    expect(value).toEqual([]);
  });

  test("profiles that include each other end, and one that is missing or leads elsewhere is told or left", async () => {
    const wants = "/etc/systemd/system/multi-user.target.wants/tuned.service";
    const { value, unreadable } = await readingOf(
      {
        [wants]: "",
        "/etc/tuned/active_profile": "a gone ../../root\n",
        "/etc/tuned/a/tuned.conf": "[main]\ninclude=b\n[sysctl]\nvm.swappiness=1\n",
        "/etc/tuned/b/tuned.conf": "[main]\ninclude=a\n[sysctl]\nvm.swappiness=2\n",
      },
      readOwnership,
    );
    expect(value).toMatchObject([{ key: "vm.swappiness", value: "1" }]);
    expect(unreadable).toEqual([
      {
        path: "/etc/tuned/active_profile",
        because: 'Names profile "gone", which no folder of TuneD has',
      },
    ]);
  });

  test("a kubelet configuration that is none still means a kubelet", async () => {
    const path = "/var/lib/kubelet/config.yaml";
    const { value, unreadable } = await readingOf({ [path]: "a: [\n" }, readOwnership);
    expect(value[0]?.source).toBe(`${path} (protectKernelDefaults not known)`);
    expect(unreadable).toEqual([{ path, because: "Not a kubelet configuration" }]);
  });
});

const ENABLED = "/etc/systemd/system/multi-user.target.wants";

/** `owner key value hold` of each claim. */
async function claimsIn(tree: HostTree): Promise<string[]> {
  const { value } = await readingOf({ ...SYSTEMD, ...tree }, readOwnership);
  return value.map((claim) => `${claim.owner} ${claim.key} ${claim.value} ${claim.hold}`);
}

describe("readOwnership() of TuneD", () => {
  const profile = (text: string): HostTree => ({
    [`${ENABLED}/tuned.service`]: "",
    "/etc/tuned/active_profile": "mine\n",
    "/etc/tuned/mine/tuned.conf": text,
  });

  test("takes variables from the profile and from the file that it includes", async () => {
    expect(
      await claimsIn({
        ...profile(
          "[main]\ninclude=base\n[variables]\ninclude=/etc/tuned/my-variables.conf\nlow=5\n[sysctl]\nvm.swappiness=${low}\nnet.core.somaxconn=>${backlog}\nnet.core.rmem_max=${f:calc:1}\n",
        ),
        "/etc/tuned/my-variables.conf": "backlog = 8192 # as measured\n",
        "/usr/lib/tuned/base/tuned.conf": "[sysctl]\nvm.swappiness=60\n",
      }),
    ).toEqual([
      "tuned vm.swappiness 5 start",
      "tuned net.core.somaxconn >8192 start",
      "tuned net.core.rmem_max null start",
    ]);
  });

  test("a section that replaces its parent's takes that one's claims away; one that is off claims nothing", async () => {
    expect(
      await claimsIn({
        ...profile(
          "[main]\ninclude=base\n[sysctl]\nreplace=1\nvm.swappiness=5\n[disk]\nenabled=false\nreadahead=64\n",
        ),
        "/usr/lib/tuned/base/tuned.conf": "[sysctl]\nvm.dirty_ratio=40\n[disk]\nelevator=none\n",
      }),
    ).toEqual(["tuned /sys/block/*/queue/scheduler none start", "tuned vm.swappiness 5 start"]);
  });

  test("knows the files and commands behind a plugin's options, and the family of the rest", async () => {
    expect(
      await claimsIn(
        profile(
          "[db_disks]\ntype=disk\ndevices=sd*, vda, !sdz\nelevator=none\n[net]\nring=rx 4096\nwake_on_lan=d\n[sysfs]\n/sys/kernel/mm/ksm/run=0\n",
        ),
      ),
    ).toEqual([
      "tuned /sys/block/sd*/queue/scheduler none start",
      "tuned /sys/block/vda/queue/scheduler none start",
      "tuned ethtool -G rx 4096 start",
      "tuned nic null start",
      "tuned /sys/kernel/mm/ksm/run 0 start",
    ]);
  });
});

describe("readOwnership() of Kubernetes and container runtimes", () => {
  const VOLUME = "/var/lib/kubelet/pods/5f1c/volumes/kubernetes.io~configmap/kube-proxy";
  const proxy = (conntrack: string): HostTree => ({
    [`${VOLUME}/config.conf`]: `kind: KubeProxyConfiguration\nconntrack: ${conntrack}\n`,
  });

  test("kube-proxy owns the connection tracking table, unless it was told to leave it", async () => {
    const { value } = await readingOf(proxy("{maxPerCore: 65536}"), readOwnership);
    expect(value).toEqual(
      ["net.netfilter.nf_conntrack_max", "net.netfilter.nf_conntrack_buckets"].map((key) => ({
        owner: "kube-proxy",
        key,
        source: `${VOLUME}/config.conf (65536 per CPU, at least 131072)`,
        value: null,
        hold: "start",
      })),
    );
    expect(await claimsIn(proxy("{maxPerCore: 0}"))).toEqual([]);
    expect(await claimsIn(proxy("null"))).toHaveLength(2);
  });

  test("a kube-proxy configuration that is none is told", async () => {
    const { value, unreadable } = await readingOf(
      { [`${VOLUME}/config.conf`]: "kind: KubeProxyConfiguration: [\n" },
      readOwnership,
    );
    expect(value).toEqual([]);
    expect(unreadable).toEqual([
      { path: `${VOLUME}/config.conf`, because: "Not a kube-proxy configuration" },
    ]);
  });

  test("what CRI-O and containerd give containers holds there alone", async () => {
    expect(
      await claimsIn({
        "/etc/crio/crio.conf":
          '[crio.runtime]\ndefault_sysctls = [\n  "net/core/somaxconn=1024", # ours\n]\ndefault_ulimits = ["nofile=1:2"]\n',
        "/etc/crio/crio.conf.d/10-limits.conf": 'default_ulimits = ["nofile=1024:65536"]\n',
        "/etc/containerd/config.toml": 'base_runtime_spec = "/etc/containerd/base.json"\n',
        "/etc/containerd/base.json": JSON.stringify({
          process: { rlimits: [{ type: "RLIMIT_NOFILE", soft: 65_536, hard: 1_048_576 }] },
          linux: { sysctl: { "net.ipv4.ping_group_range": "0 0" } },
        }),
      }),
    ).toEqual([
      "cri-o net.core.somaxconn 1024 containers",
      "cri-o rlimit.nofile 1024:65536 containers",
      "containerd rlimit.nofile 65536:1048576 containers",
      "containerd net.ipv4.ping_group_range 0 0 containers",
    ]);
  });
});

describe("readOwnership() of other tuners", () => {
  test("saptune: the notes in their order, an override over a note, an empty value sets nothing", async () => {
    expect(
      await claimsIn({
        [`${ENABLED}/saptune.service`]: "",
        "/etc/sysconfig/saptune": 'NOTE_APPLY_ORDER="941735 ../x 2382421"\n',
        "/usr/share/saptune/notes/941735":
          "[version]\nVERSION=1\n[sysctl]\nvm.swappiness = 10\nkernel.shmmni=32768\n",
        "/var/lib/saptune/working/notes/2382421": "[sysctl]\nnet.ipv4.tcp_tw_reuse=\nvm.swappiness=20\n",
        "/etc/saptune/override/2382421": "[sysctl]\nvm.swappiness=30\n",
      }),
    ).toEqual(["saptune vm.swappiness 30 start", "saptune kernel.shmmni 32768 start"]);
  });

  test("bpftune and Redpanda's tuner, only where they are enabled", async () => {
    expect(await claimsIn({ "/lib/systemd/system/bpftune.service": "" })).toEqual([]);
    const claims = await claimsIn({
      [`${ENABLED}/bpftune.service`]: "",
      [`${ENABLED}/redpanda-tuner.service`]: "",
    });
    expect(claims).toContain("bpftune net.ipv4.tcp_rmem null always");
    expect(claims).toContain("redpanda-tuner net.core.somaxconn >4096 start");
  });
});

describe("expandVariables()", () => {
  test("gives up on functions, on what nobody sets, and on a variable that names itself", () => {
    const variables = new Map([
      ["a", "${b}"],
      ["b", "7"],
      ["loop", "x${loop}"],
    ]);
    expect(expandVariables(">${a}", variables)).toBe(">7");
    expect(expandVariables("${f:calc:1}", variables)).toBeUndefined();
    expect(expandVariables("${gone}", variables)).toBeUndefined();
    expect(expandVariables("${loop}", variables)).toBeUndefined();
  });
});

describe("parseTunedProfile()", () => {
  test("reads sections, includes and values with signs of their own", () => {
    const profile = parseTunedProfile(
      "# c\nstray = 1\n[main]\nsummary=x\ninclude = a, b ,../c\n[sysctl]\nnet.core.somaxconn = >2048\nbroken\n",
    );
    expect(profile.includes).toEqual(["a", "b"]);
    expect(Object.fromEntries(profile.sections.get("sysctl") ?? [])).toEqual({
      "net.core.somaxconn": ">2048",
    });
  });
});

describe("parseSysctlCommands()", () => {
  test("reads the settings of sysctl commands and nothing else", () => {
    expect(
      parseSysctlCommands(
        [
          "bootcmd:",
          "  - [sysctl, -w, net.core.somaxconn=1024]",
          '  - sh -c "sysctl -qw net/ipv4/tcp_tw_reuse=1 vm.swappiness=5"',
          "  # sysctl -w vm.swappiness=60",
          "  - echo net.core.rmem_max=1",
        ].join("\n"),
      ),
    ).toEqual([
      { key: "net.core.somaxconn", value: "1024" },
      { key: "net.ipv4.tcp_tw_reuse", value: "1" },
      { key: "vm.swappiness", value: "5" },
    ]);
  });
});
