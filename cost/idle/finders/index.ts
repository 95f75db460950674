import type { Finder } from "../finder.ts";
import type { ChargedRole } from "../sign.ts";
import { expiredEnvironment, unusedEnvironment } from "./environments.ts";
import { idleAddress } from "./idle-address.ts";
import { idleHost } from "./idle-host.ts";
import { idleSnapshot } from "./idle-snapshot.ts";
import { stoppedDatabase } from "./stopped-database.ts";
import { unattachedVolume } from "./unattached-volume.ts";
import { unusedEndpoint } from "./unused-endpoint.ts";
import { unusedLoadBalancer } from "./unused-load-balancer.ts";
import { unusedNatGateway } from "./unused-nat-gateway.ts";

/** Everything that is looked for. A line is of the first role that it has a sign of: what is named more closely comes first. */
export const FINDERS: readonly Finder[] = [
  idleAddress,
  unusedLoadBalancer,
  unusedNatGateway,
  unusedEndpoint,
  stoppedDatabase,
  unattachedVolume,
  idleSnapshot,
  idleHost,
  unusedEnvironment,
  expiredEnvironment,
];

/** What they read of a bill, each once. */
export const ROLES: readonly ChargedRole[] = [...new Set(FINDERS.flatMap(({ roles }) => roles))];
