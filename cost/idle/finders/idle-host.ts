import type { Finder } from "../finder.ts";
import { findingOf } from "../finding.ts";
import { INSTANCE } from "../sign.ts";

/** A host whose CPUs were never busier does no work that is worth it. Daemons and probes stay below. Our choice. */
const IDLE_HOST_SHARE = 0.05;
/** Days of history below which a host's silence says little. Our choice. */
const SURE_HOST_DAYS = 7;

/** Instances that run, and whose CPUs were never busy as Prometheus saw them. */
export const idleHost: Finder = {
  roles: [INSTANCE],
  find: ({ present, hostUses, ownedBy }) =>
    present
      .filter(({ role }) => role === INSTANCE.name)
      .flatMap((host) => {
        const use = hostUses.get(host.resource.split(/[:/]/).at(-1) ?? host.resource);
        if (use === undefined || use.busiestShare >= IDLE_HOST_SHARE) return [];
        const percent = (use.busiestShare * 100).toFixed(1);
        return [
          findingOf(
            "idle-host",
            host,
            {
              confidence: use.days >= SURE_HOST_DAYS ? "medium" : "low",
              evidence: [
                `its CPUs were never more than ${percent} % busy in any 5 minutes of ${use.days} days`,
                "a standby or a host that waits for GPUs looks the same",
              ],
            },
            "stop it, or shrink its pool (cost right-size says by how much)",
            ownedBy,
          ),
        ];
      }),
};
