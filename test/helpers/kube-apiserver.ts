import { type ChildProcess, spawn } from "node:child_process";
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { findApiserver } from "../../tools/kubernetes/get-apiserver.ts";
import { type Part, program } from "./needs.ts";

const found = await findApiserver();

export const KUBE_APISERVER: Part = {
  name: "kube-apiserver",
  howToGet: "node tools/kubernetes/get-apiserver.ts",
  isThere: () => found !== undefined,
};

export const ETCD = program("etcd", "apt-get install etcd-server");

/** It is ready after 3 s alone, and after ten times that on a machine that is busy. */
const START_LIMIT_MILLIS = 90_000;
/** A CRD, a policy or a quota is in force within a second or two. */
const ANSWER_LIMIT_MILLIS = 60_000;
const LOOK_MILLIS = 200;

export type KubernetesObject = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
} & Record<string, unknown>;

export interface ApiAnswer {
  readonly status: number;
  readonly body: Record<string, unknown>;
  /** What admission lets pass and complains of. */
  readonly warnings: readonly string[];
}

interface ApiResource {
  readonly name: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** A Kubernetes API server with its store and nothing else: it admits, defaults and validates, and runs nothing. */
export class KubeApiserver {
  readonly #folder: string;
  readonly #processes: readonly ChildProcess[];
  readonly #port: number;
  readonly #token: string;
  readonly #agent: Agent;
  readonly #resources = new Map<string, readonly ApiResource[]>();

  private constructor(folder: string, processes: readonly ChildProcess[], port: number, token: string) {
    this.#folder = folder;
    this.#processes = processes;
    this.#port = port;
    this.#token = token;
    this.#agent = new Agent({ ca: readFileSync(path.join(folder, "certs/apiserver.crt")), keepAlive: true });
  }

  static async start(): Promise<KubeApiserver> {
    if (found === undefined) throw new Error("There is no kube-apiserver");
    const folder = mkdtempSync(path.join(tmpdir(), "bedplate-kube-apiserver-"));
    const [clientPort, peerPort, port] = await freePorts();
    const token = randomBytes(16).toString("hex");
    writeFileSync(path.join(folder, "tokens.csv"), `${token},admin,admin,system:masters\n`, { mode: 0o600 });
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    writeFileSync(path.join(folder, "sa.key"), privateKey.export({ type: "sec1", format: "pem" }), {
      mode: 0o600,
    });
    const store = `http://127.0.0.1:${clientPort}`;
    const etcd = run("etcd", [
      `--data-dir=${folder}/etcd`,
      `--listen-client-urls=${store}`,
      `--advertise-client-urls=${store}`,
      `--listen-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peerPort}`,
      `--initial-cluster=default=http://127.0.0.1:${peerPort}`,
      "--unsafe-no-fsync",
    ]);
    const server = run(found, [
      `--etcd-servers=${store}`,
      `--cert-dir=${folder}/certs`,
      "--bind-address=127.0.0.1",
      `--secure-port=${port}`,
      `--token-auth-file=${folder}/tokens.csv`,
      "--authorization-mode=RBAC",
      "--allow-privileged=true",
      "--service-account-issuer=https://kubernetes.default.svc",
      `--service-account-key-file=${folder}/sa.key`,
      `--service-account-signing-key-file=${folder}/sa.key`,
      "--service-cluster-ip-range=10.0.0.0/24",
      // Needs the controller that makes default accounts.
      "--disable-admission-plugins=ServiceAccount",
    ]);
    const processes = [server, etcd];
    try {
      await ready(folder, processes, port, token);
      return new KubeApiserver(folder, processes, port, token);
    } catch (error) {
      await end(processes, folder);
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#agent.destroy();
    await end(this.#processes, this.#folder);
  }

  /** Server-side apply, as the Pulumi provider does it, and strict: an unknown field is an error. */
  async apply(object: KubernetesObject): Promise<ApiAnswer> {
    const { name } = object.metadata;
    return this.#ask(
      "PATCH",
      `${await this.#collection(object)}/${name}?fieldManager=test&force=true&fieldValidation=Strict`,
      object,
      "application/apply-patch+yaml",
    );
  }

  /** Asks whether it would be created, and with which defaults; nothing is kept. */
  async tryCreate(object: KubernetesObject): Promise<ApiAnswer> {
    const query = "?fieldValidation=Strict&dryRun=All";
    return this.#ask("POST", `${await this.#collection(object)}${query}`, object, "application/json");
  }

  /** Plays the controller that fills in a status. */
  async setStatus(object: KubernetesObject, status: Record<string, unknown>): Promise<ApiAnswer> {
    return this.#ask(
      "PATCH",
      `${await this.#collection(object)}/${object.metadata.name}/status`,
      { status },
      "application/merge-patch+json",
    );
  }

  async #collection({ apiVersion, kind, metadata }: KubernetesObject): Promise<string> {
    const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
    let resources = this.#resources.get(root);
    if (resources === undefined) {
      const { body } = await untilAnswer(
        () => this.#ask("GET", root),
        ({ status }) => status === 200,
      );
      resources = body["resources"] as readonly ApiResource[];
      this.#resources.set(root, resources);
    }
    const resource = resources.find((candidate) => candidate.kind === kind && !candidate.name.includes("/"));
    if (resource === undefined) throw new Error(`The API server knows no ${apiVersion} ${kind}`);
    if (!resource.namespaced) return `${root}/${resource.name}`;
    if (metadata.namespace === undefined) throw new Error(`${kind} ${metadata.name} names no namespace`);
    return `${root}/namespaces/${metadata.namespace}/${resource.name}`;
  }

  #ask(method: string, url: string, body?: unknown, contentType?: string): Promise<ApiAnswer> {
    return ask({ port: this.#port, token: this.#token, agent: this.#agent, method, url, body, contentType });
  }
}

/** Asks again until the answer is the wanted one: what was applied is in force a moment after it is there. */
export async function untilAnswer(
  question: () => Promise<ApiAnswer>,
  isWanted: (answer: ApiAnswer) => boolean,
): Promise<ApiAnswer> {
  const deadline = performance.now() + ANSWER_LIMIT_MILLIS;
  for (;;) {
    const answer = await question();
    if (isWanted(answer)) return answer;
    if (performance.now() > deadline)
      throw new Error(
        `Still ${answer.status} after ${ANSWER_LIMIT_MILLIS / 1000} s: ${JSON.stringify(answer.body)}`,
      );
    await sleep(LOOK_MILLIS);
  }
}

interface Question {
  readonly port: number;
  readonly token: string;
  readonly agent: Agent;
  readonly method: string;
  readonly url: string;
  readonly body?: unknown;
  readonly contentType?: string | undefined;
}

async function ask(question: Question): Promise<ApiAnswer> {
  const { port, token, agent, method, url, body, contentType } = question;
  const call = request({
    host: "127.0.0.1",
    port,
    agent,
    method,
    path: url,
    timeout: 30_000,
    headers: {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      ...(contentType === undefined ? {} : { "content-type": contentType }),
    },
  });
  call.on("timeout", () => call.destroy(new Error(`${method} ${url} was not answered`)));
  call.end(body === undefined ? undefined : JSON.stringify(body));
  const [response] = (await once(call, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString("utf8");
  return {
    status: response.statusCode ?? 0,
    body: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : { text },
    warnings: response.headersDistinct["warning"] ?? [],
  };
}

function run(file: string, args: readonly string[]): ChildProcess {
  return spawn(file, args, { stdio: "ignore" });
}

async function ready(
  folder: string,
  processes: readonly ChildProcess[],
  port: number,
  token: string,
): Promise<void> {
  const deadline = performance.now() + START_LIMIT_MILLIS;
  while (performance.now() < deadline) {
    if (processes.some((child) => child.exitCode !== null)) throw new Error("The API server or etcd ended");
    const isReady = await isAnswering(folder, port, token).catch(() => false);
    if (isReady) return;
    await sleep(LOOK_MILLIS);
  }
  throw new Error(`The API server is not ready after ${START_LIMIT_MILLIS / 1000} s`);
}

async function isAnswering(folder: string, port: number, token: string): Promise<boolean> {
  const agent = new Agent({ ca: readFileSync(path.join(folder, "certs/apiserver.crt")) });
  try {
    const { status } = await ask({ port, token, agent, method: "GET", url: "/readyz" });
    return status === 200;
  } finally {
    agent.destroy();
  }
}

async function end(processes: readonly ChildProcess[], folder: string): Promise<void> {
  for (const child of processes) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }
  rmSync(folder, { recursive: true, force: true });
}

async function freePorts(): Promise<readonly [number, number, number]> {
  const servers = [createServer(), createServer(), createServer()];
  const ports: number[] = [];
  for (const server of servers) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("No port");
    ports.push(address.port);
  }
  for (const server of servers) server.close();
  const [client = 0, peer = 0, api = 0] = ports;
  return [client, peer, api];
}
