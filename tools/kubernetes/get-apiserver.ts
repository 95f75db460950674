import path from "node:path";
import { execa } from "execa";
import { type GoProgram, type WorkArgs, buildGoProgram, findGoBuilds } from "../go-build.ts";

/**
 * A Kubernetes API server of the tests' own, built with Go from its published modules: nobody publishes the program
 * itself where only module and package registries are reached. Its store, etcd, is the Debian package etcd-server.
 */

const REPOSITORY = path.resolve(import.meta.dirname, "../..");
const PROMETHEUS_OPERATOR = "github.com/prometheus-operator/prometheus-operator";

const PROGRAM: GoProgram = {
  what: "the Kubernetes API server",
  name: "kube-apiserver",
  mainPackage: "k8s.io/kubernetes/cmd/kube-apiserver",
  sourceFolder: import.meta.dirname,
  cacheFolder: path.join(REPOSITORY, ".bedplate/cache/kubernetes"),
};

/** The built program, or undefined; makes nothing. */
export async function findApiserver(): Promise<string | undefined> {
  const [root] = await findGoBuilds(PROGRAM);
  return root === undefined ? undefined : path.join(root, "bin", PROGRAM.name);
}

/** Finds the program or builds it. */
async function getApiserver(args: WorkArgs): Promise<{ path: string } | { because: string }> {
  const found = await findApiserver();
  if (found !== undefined) return { path: found };
  const made = await buildGoProgram(PROGRAM, args);
  return "because" in made ? made : { path: path.join(made.root, "bin", PROGRAM.name) };
}

/** Where the Prometheus operator's CRDs are, out of its published module, checked against go.sum. */
export async function prometheusOperatorCrds(): Promise<string> {
  const { stdout } = await execa("go", ["mod", "download", "-json", PROMETHEUS_OPERATOR], {
    cwd: import.meta.dirname,
    stdin: "ignore",
    timeout: 300_000,
    env: { GOFLAGS: "", GOWORK: "off" },
  });
  const { Dir: folder } = JSON.parse(stdout) as { readonly Dir: string };
  return path.join(folder, "example/prometheus-operator-crd");
}

if (import.meta.main) {
  const made = await getApiserver({ progress: (message) => process.stderr.write(`${message}\n`) });
  if ("path" in made) await prometheusOperatorCrds();
  process.stdout.write(`${JSON.stringify(made, null, 2)}\n`);
  process.exitCode = "path" in made ? 0 : 1;
}
