import * as pulumi from "@pulumi/pulumi";
import type { HostPool } from "../environment/environment-spec.ts";

/**
 * What every kind of host pool gives to the rest of an environment, wherever its hosts stand. Values that the engine
 * knows only after it made the hosts are outputs; the others are there at preview.
 */
export interface Hosts {
  readonly poolName: string;
  readonly where: HostPool["where"];
  readonly count: number;
  /** The key that estimate, bill and variance share: an EC2 instance type, or the kind of host where nobody bills. */
  readonly machineType: pulumi.Input<string>;
  /**
   * Addresses that reach the hosts; empty where a group makes and replaces them outside the engine (Auto Scaling), whose
   * members are found by their tags.
   */
  readonly addresses: pulumi.Output<readonly string[]>;
}

/** A pool as the stack's outputs show it. */
export interface PoolOutputs {
  readonly where: string;
  readonly count: number;
  readonly machineType: string;
  readonly addresses: readonly string[];
}

export function poolOutputs(hosts: Hosts): pulumi.Output<PoolOutputs> {
  return pulumi.all([hosts.addresses, hosts.machineType]).apply(([addresses, machineType]) => ({
    where: hosts.where,
    count: hosts.count,
    machineType,
    addresses,
  }));
}
