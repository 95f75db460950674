import type { FactReader } from "./fact-reader.ts";

const FOLDER = "/var/lib/kubelet";

export interface KubeletReading {
  readonly cpuManagerPolicy: string | null;
  readonly memoryManagerPolicy: string | null;
}

/**
 * The policies that the kubelet last ran with, from its checkpoints. With another policy in its configuration it refuses
 * to start until the checkpoint is gone, and the checkpoint is what running pods have been given.
 *
 * @see https://kubernetes.io/docs/tasks/administer-cluster/cpu-management-policies/#changing-the-cpu-manager-policy
 */
export async function readKubelet(reader: FactReader): Promise<KubeletReading> {
  const [cpuManagerPolicy, memoryManagerPolicy] = await Promise.all([
    readPolicy(reader, `${FOLDER}/cpu_manager_state`),
    readPolicy(reader, `${FOLDER}/memory_manager_state`),
  ]);
  return { cpuManagerPolicy, memoryManagerPolicy };
}

/** `{"policyName":"none","defaultCpuSet":"","checksum":1353318690}` */
async function readPolicy(reader: FactReader, path: string): Promise<string | null> {
  const text = await reader.text(path);
  if (text === undefined) return null;
  try {
    const state: unknown = JSON.parse(text);
    if (typeof state === "object" && state !== null && "policyName" in state) {
      const { policyName } = state;
      if (typeof policyName === "string" && /^\w{1,32}$/.test(policyName)) return policyName;
    }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  reader.note(path, "Not a checkpoint of the kubelet");
  return null;
}
