import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, describe, onTestFinished, test } from "vitest";
import { parse } from "yaml";
import { type EksNodeInput, renderEksUserData } from "../../../components/user-data/eks-user-data.ts";
import type { UserDataInput } from "../../../components/user-data/render-user-data.ts";
import { describeWith, program } from "../../helpers/needs.ts";

const SHA256 = "a1".repeat(32);

const CLUSTER = {
  name: "mcp-gateway-prod",
  apiServerEndpoint: "https://0123456789ABCDEF.gr7.us-east-1.eks.amazonaws.com",
  certificateAuthority: Buffer.from("x".repeat(1100)).toString("base64"),
  cidr: "172.20.0.0/16",
};

const NODE: EksNodeInput = {
  cluster: CLUSTER,
  labels: { "bedplate.dev/pool": "serving", team: "agent-platform" },
  taints: [{ key: "example.com/gpu", value: "", effect: "NoSchedule" }],
  drainSeconds: 135,
};

function input(because = "measured"): UserDataInput {
  return {
    profile: {
      apiVersion: "bedplate/v1",
      kind: "HostProfile",
      service: { runtime: "kubernetes" },
      kubernetes: { kubeletHandOver: "nodeadm" },
      overrides: { "net.core.somaxconn": { value: 5000, because } },
    },
    artifacts: { agent: { url: `s3://artifacts/${SHA256}`, sha256: SHA256 } },
  };
}

/** Text that gzip cannot shorten much. */
function noise(length: number): string {
  let seed = 7;
  return Array.from({ length }, () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return (seed % 36).toString(36);
  }).join("");
}

/** Each part as Python's mail library reads it, which cloud-init uses. */
function partsOf(text: string): readonly { readonly type: string; readonly body: string }[] {
  const script =
    "import email,json,sys\nm=email.message_from_string(sys.stdin.read())\nprint(json.dumps([{'type':p.get_content_type(),'body':p.get_payload(decode=True).decode('latin-1')} for p in m.walk() if not p.is_multipart()]))";
  return JSON.parse(
    execFileSync("python3", ["-c", script], { input: text, encoding: "utf8", timeout: 30_000 }),
  ) as {
    type: string;
    body: string;
  }[];
}

const PYTHON = program("python3", "apt-get install python3");
const CLOUD_INIT = program("cloud-init", "apt-get install cloud-init");

describeWith([PYTHON], "renderEksUserData()", () => {
  test("has one part for nodeadm and one for cloud-init", async () => {
    const { text, encoding } = renderEksUserData(input(), NODE);
    expect(encoding).toBe("plain");
    await expect(text).toMatchFileSnapshot("../../golden/user-data/eks-node.txt");
    const [nodeadm, cloudInit, ...more] = partsOf(text);
    expect(more).toEqual([]);
    expect(nodeadm?.type).toBe("application/node.eks.aws");
    expect(parse(nodeadm?.body ?? "")).toEqual({
      apiVersion: "node.eks.aws/v1alpha1",
      kind: "NodeConfig",
      spec: {
        cluster: CLUSTER,
        kubelet: {
          config: {
            shutdownGracePeriod: "165s",
            shutdownGracePeriodCriticalPods: "30s",
            registerWithTaints: NODE.taints,
          },
          flags: ["--node-labels=bedplate.dev/pool=serving,team=agent-platform"],
        },
      },
    });
    expect(cloudInit?.type).toBe("text/cloud-config");
    expect(cloudInit?.body).toMatch(/^#cloud-config\n/);
  });

  test("leaves to EKS what EKS adds: the cluster of a managed group, and its room", () => {
    const { cluster: _, ...managed } = NODE;
    const { text, bytes, encoding } = renderEksUserData(input(noise(4500)), managed);
    const [nodeadm] = partsOf(text);
    expect((parse(nodeadm?.body ?? "") as { spec: object }).spec).not.toHaveProperty("cluster");
    expect(bytes).toBeLessThanOrEqual(16_384 - 4096);
    expect(encoding).toBe("gzip");
    expect(() => renderEksUserData(input(noise(16_000)), managed)).toThrow(/are above the limit of 12288/);
  });

  test("stays readable for EKS where cloud-init's part is packed", () => {
    const { text, encoding } = renderEksUserData(input(noise(9000)), NODE);
    expect(encoding).toBe("gzip");
    expect(text).toMatch(/^MIME-Version: 1\.0\n/);
    const [nodeadm, packed] = partsOf(text);
    expect(nodeadm?.body).toContain("kind: NodeConfig");
    expect(packed?.type).toBe("application/gzip");
    for (const line of text.split("\n")) expect(line.length).toBeLessThanOrEqual(2000);
  });

  test("fails for a cluster that is none, with every fault", () => {
    const cluster = { ...CLUSTER, name: "my cluster", apiServerEndpoint: "0123.eks.amazonaws.com" };
    expect(() => renderEksUserData(input(), { ...NODE, cluster })).toThrow(
      /cluster\.name[\s\S]*cluster\.apiServerEndpoint/,
    );
  });
});

describe("the unit that joins the node", () => {
  test("asks first whether the host is tuned", () => {
    const { text } = renderEksUserData(input(), NODE);
    expect(text).toContain("/etc/systemd/system/nodeadm-run.service.d/10-bedplate.conf");
    expect(text).toContain("ExecStartPre=/usr/bin/systemctl is-active bedplate.service");
    expect(text.indexOf("- daemon-reload")).toBeLessThan(
      text.lastIndexOf("/usr/local/sbin/bedplate-install"),
    );
  });
});

describeWith([CLOUD_INIT, PYTHON], "cloud-init", () => {
  /** What cloud-init makes of the document: the kinds of its parts, and the text of its cloud-config. */
  function cloudInitReads(text: string): { types: string[]; cloudConfig: string } {
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-eks-user-data-"));
    onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
    const file = path.join(folder, "user-data");
    writeFileSync(file, text);
    const script = [
      "import json,sys",
      "from cloudinit import user_data",
      "class Paths:",
      "  def __getattr__(self, _): return lambda *a: '/nonexistent'",
      "m=user_data.UserDataProcessor(Paths()).process(open(sys.argv[1],'rb').read())",
      "ps=[p for p in m.walk() if not p.is_multipart()]",
      "cc=[p.get_payload(decode=True).decode() for p in ps if p.get_content_type()=='text/cloud-config']",
      "print(json.dumps({'types':[p.get_content_type() for p in ps],'cloudConfig':''.join(cc)}))",
    ].join("\n");
    return JSON.parse(
      execFileSync("/usr/bin/python3", ["-c", script, file], {
        encoding: "utf8",
        timeout: 60_000,
        stdio: ["ignore", "pipe", "ignore"],
      }),
    ) as { types: string[]; cloudConfig: string };
  }

  test.each([
    ["plain", "measured"],
    ["packed", noise(9000)],
  ])("reads the same cloud-config from the %s form, and passes over nodeadm's part", (_form, because) => {
    const { types, cloudConfig } = cloudInitReads(renderEksUserData(input(because), NODE).text);
    expect(types).toContain("text/cloud-config");
    const config = parse(cloudConfig) as { write_files: { path: string }[]; runcmd: string[][] };
    expect(config.write_files.map((file) => file.path)).toContain("/etc/bedplate/profile.yaml");
    expect(config.runcmd).toEqual([["systemctl", "daemon-reload"], ["/usr/local/sbin/bedplate-install"]]);
    expect(cloudConfig).toContain(because);
  });
});
