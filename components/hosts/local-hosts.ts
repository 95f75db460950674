import * as pulumi from "@pulumi/pulumi";
import type { LocalPool } from "../environment/environment-spec.ts";
import type { Artifact } from "../environment/host-archives.ts";
import type { HostArtifacts } from "../environment/host-user-data.ts";
import { LocalVm } from "../provider/local-vm-resource.ts";
import type { Hosts } from "./hosts.ts";
import { artifactUrl } from "./local-vm/vm-spec.ts";
import { localVmSpecOf } from "./local-vm-spec-of.ts";

export interface LocalHostsArgs {
  readonly pool: LocalPool;
  readonly artifacts: HostArtifacts;
  readonly servicePort: number;
  /** Renders the pool's user data for given artifact addresses. */
  readonly userData: (urlOf: (artifact: Artifact) => string) => string;
}

/** One machine as the stack's outputs show it. */
export interface LocalMachineOutputs {
  readonly name: string;
  readonly address: string;
  readonly sshPort: number;
  /** Port on this machine that leads to the service. */
  readonly servicePort: number;
  readonly serviceUrl: string;
  readonly stateDir: string;
  readonly reportPath: string;
  readonly accelerator: string;
  /** How long each stretch of the last bring-up took. */
  readonly phases: readonly { readonly name: string; readonly durationMillis: number }[];
}

/** A pool of QEMU machines on this machine, each a resource with its own state. */
export class LocalHosts extends pulumi.ComponentResource implements Hosts {
  readonly where = "local";
  readonly machineType = "local";
  readonly poolName: string;
  readonly count: number;
  readonly addresses: pulumi.Output<readonly string[]>;
  readonly serviceUrls: pulumi.Output<readonly string[]>;
  readonly machineOutputs: pulumi.Output<readonly LocalMachineOutputs[]>;

  constructor(name: string, args: LocalHostsArgs, opts: pulumi.ComponentResourceOptions = {}) {
    super("bedplate:index:LocalHosts", name, {}, opts);
    this.poolName = args.pool.name;
    this.count = args.pool.count;
    const userData = args.userData((artifact) => artifactUrl(artifact.sha256));
    const machines = Array.from({ length: args.pool.count }, (_, index) => {
      const machineName = `${name}-${index}`;
      const spec = localVmSpecOf(machineName, args.pool, {
        userData,
        artifacts: Object.values(args.artifacts),
        servicePort: args.servicePort,
      });
      return new LocalVm(machineName, spec, { parent: this });
    });
    this.addresses = pulumi.all(machines.map((machine) => machine.address));
    this.serviceUrls = pulumi.all(machines.map((machine) => machine.serviceUrl));
    this.machineOutputs = pulumi.all(machines.map(outputsOf));
    this.registerOutputs({ addresses: this.addresses });
  }
}

function outputsOf(machine: LocalVm): pulumi.Output<LocalMachineOutputs> {
  return pulumi.output({
    name: machine.name,
    address: machine.address,
    sshPort: machine.sshPort,
    servicePort: machine.hostServicePort,
    serviceUrl: machine.serviceUrl,
    stateDir: machine.stateDir,
    reportPath: machine.reportPath,
    accelerator: machine.accelerator,
    phases: machine.phases,
  });
}
