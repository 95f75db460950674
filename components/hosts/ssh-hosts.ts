import * as pulumi from "@pulumi/pulumi";
import type { HostProfile } from "../../host-tuning/profile/host-profile.ts";
import type { ServiceSpec, SshPool } from "../environment/environment-spec.ts";
import type { HostArtifacts } from "../environment/host-user-data.ts";
import { LOOK_AHEAD_TOKEN, TunedHost } from "../provider/tuned-host-resource.ts";
import type { Hosts } from "./hosts.ts";
import type { TunedHostSpecInput } from "./ssh/tuned-host-spec.ts";

export interface SshHostsArgs {
  readonly pool: SshPool;
  readonly profile: HostProfile;
  readonly artifacts: HostArtifacts;
  readonly service: ServiceSpec;
}

/** A pool of machines that exist already, each a resource that is tuned over ssh. */
export class SshHosts extends pulumi.ComponentResource implements Hosts {
  readonly where = "ssh";
  readonly machineType = "ssh";
  readonly poolName: string;
  readonly count: number;
  readonly addresses: pulumi.Output<readonly string[]>;
  readonly serviceUrls: pulumi.Output<readonly string[]>;

  constructor(name: string, args: SshHostsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:SshHosts", name, {}, opts);
    const { pool } = args;
    this.poolName = pool.name;
    this.count = pool.count;
    const addresses = pool.hosts.map(({ target }) => target.address);
    this.addresses = pulumi.output(addresses);
    this.serviceUrls = pulumi.output(
      args.artifacts.service === undefined
        ? []
        : addresses.map((address) => urlOf(address, args.service.port)),
    );
    const common = commonOf(args);
    const hosts = pool.hosts.map((host) => ({ name: `${name}-${host.name}`, target: host.target }));
    this.#lookAhead({ common, hosts });
    for (const host of hosts) new TunedHost(host.name, { ...common, ...host }, { parent: this });
    this.registerOutputs({ addresses: this.addresses });
  }

  /** The engine asks for one host after the other; named beforehand, they are looked at together. */
  #lookAhead(args: pulumi.Inputs): void {
    pulumi.runtime.invoke(LOOK_AHEAD_TOKEN, args, { parent: this }).catch((error: unknown) => {
      // Each host's own check looks where this did not: slower, and nothing else.
      void pulumi.log.debug(`Cannot look at the hosts of ${this.poolName} ahead: ${String(error)}`, this);
    });
  }
}

/** What all hosts of a pool are to become. */
function commonOf(args: SshHostsArgs): Omit<TunedHostSpecInput, "name" | "target"> {
  const { pool, profile, artifacts, service } = args;
  const { port, protocolEra, longestCallSeconds } = service;
  const archive = ({ path, sha256 }: HostArtifacts["agent"]) => ({ path, sha256 });
  return {
    architecture: pool.needs.architecture,
    profile,
    agent: archive(artifacts.agent),
    ...(artifacts.service === undefined
      ? {}
      : {
          service: {
            archive: archive(artifacts.service),
            settings: { port, protocolEra, longestCallSeconds },
          },
        }),
  };
}

function urlOf(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}/mcp`;
}
