import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, readdir, readlink, rm, writeFile } from "node:fs/promises";
import { type Server, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { execa } from "execa";
import { afterEach, beforeEach, expect, it } from "vitest";
import { packArchive, sha256Of } from "../../../tools/archive/pack.ts";
import { AwsApi, MOTO } from "../../helpers/aws-api.ts";
import { describeWith, program } from "../../helpers/needs.ts";

const SCRIPT = path.resolve(import.meta.dirname, "../../../components/user-data/bedplate-install.sh");
const UNINSTALLER = path.resolve(import.meta.dirname, "../../../components/user-data/bedplate-uninstall.sh");

const TOOLS = [
  program("curl", "apt-get install curl"),
  program("flock", "apt-get install util-linux"),
  program("tar", "apt-get install tar"),
];

/** Records what it is asked and fails for the units that SYSTEMCTL_FAILS names: PID 1 of this machine is left alone. */
const RECORDING_SYSTEMCTL = `#!/bin/sh
printf '%s\\n' "$*" >>"$SYSTEMCTL_CALLS"
case " $SYSTEMCTL_FAILS " in *" $* "*) exit 1 ;; esac
case "$*" in "show --property Slice "*) echo mcp.slice ;; esac
`;

interface Served {
  readonly url: string;
  readonly sha256: string;
}

let root: string;
let server: Server;
let files: Map<string, Buffer>;
let requests: string[];
/** Answers with 503 so many times first. */
let refusals: number;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), "bedplate-install-"));
  for (const folder of ["etc/bedplate", "etc/systemd/system", "usr/local/sbin", "bin"]) {
    await mkdir(path.join(root, folder), { recursive: true });
  }
  await writeFile(path.join(root, "bin/systemctl"), RECORDING_SYSTEMCTL);
  await chmod(path.join(root, "bin/systemctl"), 0o755);
  files = new Map();
  requests = [];
  refusals = 0;
  server = createServer((request, response) => {
    requests.push(request.url ?? "");
    const content = files.get(request.url ?? "");
    if (refusals > 0) {
      refusals -= 1;
      response.writeHead(503).end();
    } else if (content === undefined) response.writeHead(404).end();
    else response.writeHead(200).end(content);
  });
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
});

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => {
    server.close(resolve);
  });
  await rm(root, { recursive: true, force: true });
});

async function serve(name: string, version = "1"): Promise<Served> {
  const text = (content: string) => ({ content: Buffer.from(content), isExecutable: false });
  const content = await packArchive([
    { name: "main.cjs", ...text(`// ${name} ${version}\n`) },
    ...(name === "agent"
      ? [
          { name: "units/bedplate-early.service", ...text("[Service]\n") },
          { name: "units/bedplate.service", ...text("[Service]\n") },
          { name: "units/bedplate-drift.timer", ...text("[Timer]\n") },
          { name: "units/90-bedplate.rules", ...text("# rules\n") },
          { name: "bin/bedplate", ...text("#!/bin/sh\n"), isExecutable: true },
        ]
      : []),
  ]);
  files.set(`/${name}-${version}`, content);
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/${name}-${version}`, sha256: sha256Of(content) };
}

async function install(
  agent: Served,
  service?: Served,
  systemctlFails = "",
  options: readonly string[] = [],
  hostEnv: Readonly<Record<string, string>> = {},
) {
  const lines = [`agent ${agent.sha256} ${agent.url}`];
  if (service !== undefined) lines.push(`service ${service.sha256} ${service.url} mcp-service.service`);
  await writeFile(path.join(root, "etc/bedplate/artifacts"), `${lines.join("\n")}\n`);
  return runScript([SCRIPT, ...options], systemctlFails, hostEnv);
}

async function runScript(
  words: readonly string[],
  systemctlFails = "",
  hostEnv: Readonly<Record<string, string>> = {},
) {
  await writeFile(path.join(root, "systemctl-calls"), "");
  const run = await execa("sh", words, {
    reject: false,
    timeout: 60_000,
    env: {
      BEDPLATE_ROOT: root,
      ...hostEnv,
      PATH: `${path.join(root, "bin")}:${hostEnv["PATH"] ?? process.env["PATH"]}`,
      SYSTEMCTL_CALLS: path.join(root, "systemctl-calls"),
      SYSTEMCTL_FAILS: systemctlFails,
    },
  });
  const calls = await readFile(path.join(root, "systemctl-calls"), "utf8");
  return {
    exitCode: run.exitCode,
    stderr: run.stderr,
    calls: calls.split("\n").filter((call) => call !== ""),
  };
}

async function current(folder: "bedplate" | "mcp-service"): Promise<string> {
  return readlink(path.join(root, "opt", folder, "current"));
}

describeWith(TOOLS, "bedplate-install", () => {
  it("puts both archives in place and starts the agent before the service", async () => {
    const agent = await serve("agent");
    const service = await serve("service");
    const run = await install(agent, service);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.calls).toEqual([
      "daemon-reload",
      "enable --quiet bedplate-early.service bedplate.service bedplate-drift.timer",
      "restart bedplate-early.service",
      "restart bedplate.service",
      "restart bedplate-drift.timer",
      "enable --quiet mcp-service.service",
      "restart mcp-service.service",
    ]);
    expect(await current("bedplate")).toBe(agent.sha256);
    expect(await readFile(path.join(root, "opt/mcp-service/current/main.cjs"), "utf8")).toBe(
      "// service 1\n",
    );
    expect(await readdir(path.join(root, "etc/udev/rules.d"))).toEqual(["90-bedplate.rules"]);
    expect(await readdir(path.join(root, "etc/systemd/system"))).toEqual([
      "bedplate-drift.timer",
      "bedplate-early.service",
      "bedplate.service",
    ]);
    expect(await readdir(path.join(root, "opt/bedplate"))).toHaveLength(2);
  });

  it("fetches and restarts nothing the second time", async () => {
    const agent = await serve("agent");
    const service = await serve("service");
    await install(agent, service);
    requests = [];
    const run = await install(agent, service);
    expect(run.exitCode).toBe(0);
    expect(requests).toEqual([]);
    expect(run.calls.filter((call) => call.startsWith("restart"))).toEqual([]);
    expect(run.calls).toContain("start mcp-service.service");
  });

  it("switches to another archive and keeps the one before", async () => {
    const first = await serve("agent", "1");
    await install(first);
    const second = await serve("agent", "2");
    const run = await install(second);
    expect(run.calls).toContain("restart bedplate.service");
    expect(await current("bedplate")).toBe(second.sha256);
    expect(existsSync(path.join(root, "opt/bedplate", first.sha256))).toBe(true);
  });

  it("never unpacks or starts what differs from its digest", async () => {
    const agent = await serve("agent");
    const run = await install({ ...agent, sha256: "0".repeat(64) }, await serve("service"));
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain(`sha256 is ${agent.sha256}, wanted ${"0".repeat(64)}`);
    expect(run.calls).toEqual([]);
    expect(await readdir(path.join(root, "opt/bedplate"))).toEqual([]);
  });

  it("never starts a service whose archive differs from its digest, and leaves the one before in place", async () => {
    const agent = await serve("agent");
    const good = await serve("service", "1");
    await install(agent, good);
    const bad = await serve("service", "2");
    const run = await install(agent, { ...bad, sha256: "0".repeat(64) });
    expect(run.exitCode).toBe(1);
    expect(run.calls.filter((call) => call.includes("mcp-service"))).toEqual([]);
    expect(await current("mcp-service")).toBe(good.sha256);
  });

  it("tries again when the fetch does not succeed at first", async () => {
    refusals = 1;
    const run = await install(await serve("agent"));
    expect(run.exitCode).toBe(0);
    expect(requests).toHaveLength(2);
  });

  it("fails when the tuning fails, after it has left the service to its unit", async () => {
    const run = await install(await serve("agent"), await serve("service"), "restart bedplate.service");
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("the agent reports a failure");
    expect(run.calls.at(-1)).toBe("restart mcp-service.service");
  });

  it("puts the agent in place and starts nothing with --agent-only", async () => {
    const agent = await serve("agent");
    const run = await install(agent, await serve("service"), "", ["--agent-only"]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.calls).toEqual([
      "daemon-reload",
      "enable --quiet bedplate-early.service bedplate.service bedplate-drift.timer",
    ]);
    expect(await current("bedplate")).toBe(agent.sha256);
    expect(existsSync(path.join(root, "opt/mcp-service"))).toBe(false);
  });

  it("takes an archive that is on the host, and checks it all the same", async () => {
    const agent = await serve("agent");
    const file = path.join(root, "agent.tar.gz");
    await writeFile(file, files.get("/agent-1") ?? "");
    expect(await install({ ...agent, url: `file://${file}` })).toMatchObject({ exitCode: 0, stderr: "" });
    expect(requests).toEqual([]);
    await writeFile(file, "cut off");
    const run = await install({ url: `file://${file}`, sha256: "0".repeat(64) });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain("Cannot trust agent from");
    expect(await current("bedplate")).toBe(agent.sha256);
  });

  it("fails for an address that it does not trust plain http to", async () => {
    const agent = await serve("agent");
    const run = await install({ ...agent, url: "http://192.0.2.1:80/agent" });
    expect(run.exitCode).toBe(1);
    expect(run.stderr).toContain('address "http://192.0.2.1:80/agent" is none of');
    expect(run.calls).toEqual([]);
  });
});

describeWith(TOOLS, "bedplate-uninstall", () => {
  const tree = async () =>
    (await readdir(root, { recursive: true })).filter((name) => name !== "systemctl-calls").toSorted();

  it("leaves what was there before the installer, and does nothing the second time", async () => {
    await mkdir(path.join(root, "etc/udev/rules.d"), { recursive: true });
    await mkdir(path.join(root, "var/lib"), { recursive: true });
    await writeFile(path.join(root, "etc/systemd/system/other.service"), "[Service]\n");
    const before = (await tree()).filter((name) => name !== "etc/bedplate");
    await install(await serve("agent"), await serve("service"));
    await writeFile(path.join(root, "etc/systemd/system/mcp-service.service"), "[Service]\n");
    await mkdir(path.join(root, "var/lib/bedplate"));
    await writeFile(path.join(root, "var/lib/bedplate/journal.jsonl"), "");

    const run = await runScript([UNINSTALLER, "mcp-service.service"]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.calls).toEqual([
      "disable --quiet --now mcp-service.service",
      "disable --quiet --now bedplate-drift.timer",
      "disable --quiet --now bedplate.service",
      "disable --quiet --now bedplate-early.service",
      "show --property Slice --value mcp-service.service",
      "stop mcp.slice",
      "daemon-reload",
      "reset-failed bedplate* mcp-service.service",
    ]);
    // Folders that every host has: /opt and /run.
    expect((await tree()).filter((name) => name !== "opt" && name !== "run")).toEqual(before);

    const again = await runScript([UNINSTALLER, "mcp-service.service"]);
    expect(again.calls.filter((call) => call.startsWith("disable"))).toEqual([]);
    expect(again.exitCode).toBe(0);
  });

  it("leaves the service's slice to others that are in it", async () => {
    await mkdir(path.join(root, "sys/fs/cgroup/mcp.slice/other.service"), { recursive: true });
    const run = await runScript([UNINSTALLER, "mcp-service.service"]);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(run.calls).not.toContain("stop mcp.slice");
  });

  it("never touches a service that it did not install", async () => {
    await writeFile(path.join(root, "etc/systemd/system/mcp-service.service"), "[Service]\n");
    await mkdir(path.join(root, "opt/mcp-service"), { recursive: true });
    await install(await serve("agent"));
    const run = await runScript([UNINSTALLER]);
    expect(run.exitCode).toBe(0);
    expect(existsSync(path.join(root, "etc/systemd/system/mcp-service.service"))).toBe(true);
    expect(existsSync(path.join(root, "opt/mcp-service"))).toBe(true);
  });
});

describeWith([program("shellcheck", "apt-get install shellcheck")], "shellcheck", () => {
  it.each([SCRIPT, UNINSTALLER])("finds nothing in %s", (script) => {
    expect(
      execFileSync("shellcheck", ["--enable=all", "--exclude=SC2250,SC2310,SC2312", script], {
        encoding: "utf8",
        timeout: 60_000,
      }),
    ).toBe("");
  });
});

describeWith([...TOOLS, MOTO], "bedplate-install from a bucket, by AWS's own command line", () => {
  let api: AwsApi;
  beforeEach(async () => {
    api = await AwsApi.start();
    await api.aws(["s3api", "create-bucket", "--bucket", "dev-artifacts"]);
  });
  afterEach(() => api.stop());

  async function upload(name: string, version: string, key: string): Promise<Served> {
    const { sha256, url } = await serve(name, version);
    const address = `s3://dev-artifacts/${key}`;
    await api.aws(["s3", "cp", "-", address], files.get(new URL(url).pathname));
    return { url: address, sha256 };
  }

  it("puts both archives in place, and never one that was overwritten in the bucket", async () => {
    const agent = await upload("agent", "1", "agent.tar.gz");
    const service = await upload("service", "1", "service.tar.gz");
    const run = await install(agent, service, "", [], api.env);
    expect(run).toMatchObject({ exitCode: 0, stderr: "" });
    expect(await current("bedplate")).toBe(agent.sha256);
    expect(await current("mcp-service")).toBe(service.sha256);

    const overwritten = await upload("agent", "2", "agent.tar.gz");
    await rm(path.join(root, "opt/bedplate"), { recursive: true });
    const again = await install(agent, service, "", [], api.env);
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toContain(
      `Cannot trust agent from "${agent.url}": sha256 is ${overwritten.sha256}, wanted ${agent.sha256}`,
    );
    expect(again.calls).toEqual([]);
  });
});
