import * as pulumi from "@pulumi/pulumi";
import type { LocalVmSpecInput } from "../hosts/local-vm/vm-spec.ts";

/** Type token of the resource that the `bedplate` provider implements. */
export const LOCAL_VM_TYPE = "bedplate:index:LocalVm";

/** A QEMU machine on this machine, made by the `bedplate` provider. */
export class LocalVm extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  /** Always this machine's loopback: ports lead into the machine. */
  declare readonly address: pulumi.Output<string>;
  declare readonly sshPort: pulumi.Output<number>;
  /** Port on this machine that leads to the service. */
  declare readonly hostServicePort: pulumi.Output<number>;
  declare readonly serviceUrl: pulumi.Output<string>;
  declare readonly stateDir: pulumi.Output<string>;
  /** File on this machine with the HostReport of the last boot that the engine waited for. */
  declare readonly reportPath: pulumi.Output<string>;
  declare readonly accelerator: pulumi.Output<string>;
  declare readonly isRunning: pulumi.Output<boolean>;
  declare readonly phases: pulumi.Output<{ readonly name: string; readonly durationMillis: number }[]>;

  constructor(name: string, spec: LocalVmSpecInput, opts: pulumi.CustomResourceOptions = {}) {
    super(
      LOCAL_VM_TYPE,
      name,
      {
        ...spec,
        address: undefined,
        sshPort: undefined,
        hostServicePort: undefined,
        serviceUrl: undefined,
        stateDir: undefined,
        reportPath: undefined,
        accelerator: undefined,
        isRunning: undefined,
        phases: undefined,
      },
      opts,
    );
  }
}
