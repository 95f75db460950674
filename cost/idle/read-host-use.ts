import type { PrometheusApi } from "../right-size/prometheus-api.ts";
import type { HostUse } from "./find-idle.ts";

const DAY_SECONDS = 86_400;

/** As node_exporter and kube-state-metrics write them. */
const BUSY = 'max_over_time((1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))[1d:5m])';
const NODES = "max by (node, internal_ip, provider_id) (max_over_time(kube_node_info[1d]))";

/** "10.0.1.7:9100" and "ip-10-0-1-7.ec2.internal" as the host that they name. */
function hostOf(instance: string): string {
  return instance.replace(/:\d+$/, "");
}

/**
 * How busy the instances of a cluster were at most, by their instance ids: node_exporter's CPU time, joined to the
 * provider's ids by kube-state-metrics' `kube_node_info`. Empty where Prometheus has either not.
 *
 * @param days as in `2026-07-01`, UTC, both counted
 * @throws {InputError} when Prometheus does not answer
 */
export async function readHostUse(
  api: PrometheusApi,
  days: { readonly first: string; readonly last: string },
): Promise<ReadonlyMap<string, HostUse>> {
  // A day is asked for at its end.
  const window = {
    firstSeconds: Date.parse(`${days.first}T00:00:00Z`) / 1000 + DAY_SECONDS,
    lastSeconds: Date.parse(`${days.last}T00:00:00Z`) / 1000 + DAY_SECONDS,
    stepSeconds: DAY_SECONDS,
  };
  const busy = await api.queryRange({ promql: BUSY, ...window });
  const nodes = await api.queryRange({ promql: NODES, ...window });
  const ids = new Map(
    nodes.series.flatMap(({ labels }) => {
      const id = /\/(i-[0-9a-f]+)$/.exec(labels["provider_id"] ?? "")?.[1];
      return id === undefined
        ? []
        : [labels["node"], labels["internal_ip"]].flatMap((name) =>
            name === undefined || name === "" ? [] : [[name, id] as const],
          );
    }),
  );
  const uses = new Map<string, HostUse>();
  for (const { labels, values } of busy.series) {
    const id = ids.get(hostOf(labels["instance"] ?? ""));
    const shares = values.map(([, text]) => Number(text)).filter((share) => Number.isFinite(share));
    if (id === undefined || shares.length === 0) continue;
    uses.set(id, { busiestShare: Math.max(0, ...shares), days: shares.length });
  }
  return uses;
}
