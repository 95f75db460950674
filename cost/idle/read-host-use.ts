import type { PrometheusApi } from "../right-size/prometheus-api.ts";
import type { HostUse } from "./finder.ts";

const DAY_SECONDS = 86_400;

/** As node_exporter and kube-state-metrics write them. */
const BUSY = 'max_over_time((1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))[1d:5m])';
const NODES = "max by (node, internal_ip, provider_id) (max_over_time(kube_node_info[1d]))";

/** As the host agent's textfile metrics say it, which node_exporter serves beside its own. */
const HOSTS = "max by (instance, instance_id) (max_over_time(bedplate_host_info[1d]))";

/** "10.0.1.7:9100" and "ip-10-0-1-7.ec2.internal" as the host that they name. */
function hostOf(instance: string): string {
  return instance.replace(/:\d+$/, "");
}

/**
 * How busy instances were at most, by their instance ids: node_exporter's CPU time, joined to the provider's ids by what
 * the host agent found on the host, or by kube-state-metrics' `kube_node_info`. Empty where Prometheus has neither.
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
  const hosts = await api.queryRange({ promql: HOSTS, ...window });
  const own = Map.groupBy(hosts.series, ({ labels }) => labels["instance"]);
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
    const instance = labels["instance"] ?? "";
    const named = (own.get(instance) ?? []).map((one) => one.labels["instance_id"]);
    // Of an address that two machines had one after the other nobody knows whose time it is.
    const id = new Set(named).size > 1 ? undefined : (named[0] ?? ids.get(hostOf(instance)));
    const shares = values.map(([, text]) => Number(text)).filter((share) => Number.isFinite(share));
    if (id === undefined || shares.length === 0) continue;
    uses.set(id, { busiestShare: Math.max(0, ...shares), days: shares.length });
  }
  return uses;
}
