import * as pulumi from "@pulumi/pulumi";
import type { HostChanges } from "../hosts/ssh/host-changes.ts";
import type { TunedHostSpecInput } from "../hosts/ssh/tuned-host-spec.ts";
import type { HostSummary, ReportSummary } from "./tuned-host-outputs.ts";

/** Type token of the resource that the `bedplate` provider implements. */
export const TUNED_HOST_TYPE = "bedplate:index:TunedHost";

/** Function of the provider that begins to look at many hosts at once; see TunedHostResource. */
export const LOOK_AHEAD_TOKEN = "bedplate:index:lookAhead";

/** A machine that exists already, tuned by the agent that the `bedplate` provider installs on it over ssh. */
export class TunedHost extends pulumi.CustomResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly machineId: pulumi.Output<string>;
  /** False where the last up did not end with every value as wanted. */
  declare readonly isTuned: pulumi.Output<boolean>;
  /** Why the host could not be read at the last refresh; empty where it could. */
  declare readonly problem: pulumi.Output<string>;
  declare readonly facts: pulumi.Output<HostSummary>;
  declare readonly report: pulumi.Output<ReportSummary>;
  /** Values in force, as they were read back, by knob and target. */
  declare readonly settings: pulumi.Output<Record<string, string>>;
  declare readonly plan: pulumi.Output<HostChanges>;

  constructor(name: string, spec: TunedHostSpecInput, opts: pulumi.CustomResourceOptions = {}) {
    super(
      TUNED_HOST_TYPE,
      name,
      {
        ...spec,
        machineId: undefined,
        isTuned: undefined,
        problem: undefined,
        facts: undefined,
        report: undefined,
        settings: undefined,
        plan: undefined,
      },
      opts,
    );
  }
}
