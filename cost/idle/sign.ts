import { sqlText } from "../report/bill-database.ts";

/**
 * How a bill names a kind of charge: CUR by its usage type, a FOCUS export, which may have none, by its description.
 * Patterns of SQL's LIKE; descriptions in lower case.
 */
export interface Sign {
  readonly usageTypes: readonly string[];
  readonly descriptions: readonly string[];
}

/** A resource of one kind, by what it is charged for being there, and again for being used. */
export interface ChargedRole {
  readonly name: string;
  readonly being: Sign;
  /** Undefined where nothing in a bill says that it is used. */
  readonly use?: Sign;
  /** Whether a use that costs nothing is one; a charge of 0 is otherwise the line that AWS writes for a use of 0. */
  readonly isUsedAtNoCost?: true;
}

/** An instance that runs, whoever pays for it. */
export const INSTANCE: ChargedRole = {
  name: "instance",
  being: {
    usageTypes: ["%BoxUsage%", "%SpotUsage%", "%HostUsage%", "%DedicatedUsage%"],
    descriptions: ["% instance hour%", "% instance-hour%"],
  },
};

/** Volumes are told apart from others only by what runs beside them. */
export const VOLUME: ChargedRole = {
  name: "volume",
  being: {
    usageTypes: ["%EBS:Volume%"],
    descriptions: ["%provisioned storage%", "%provisioned iops%", "%general purpose%storage%"],
  },
};

/** SQL that is true for a line of the view `bill` with this sign; by its description only where it has no usage type. */
export function signSql({ usageTypes, descriptions }: Sign): string {
  const like = (column: string, patterns: readonly string[]): string =>
    patterns.map((pattern) => `${column} like ${sqlText(pattern)}`).join(" or ");
  return `case when x_UsageType is not null then ${like("x_UsageType", usageTypes)} else coalesce(${like("lower(ChargeDescription)", descriptions)}, false) end`;
}
