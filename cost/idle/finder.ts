import type { Environment } from "../../components/environment/environment-spec.ts";
import type { ToolCalls } from "../unit-cost/read-tool-calls.ts";
import type { ChargedResource, Charges } from "./charges.ts";
import type { OwnedBy } from "./finding.ts";
import type { Finding } from "./idle-report.ts";
import type { ChargedRole } from "./sign.ts";

/** An environment with what the bill and its service's counters say of it. */
export interface WatchedEnvironment {
  readonly environment: Environment;
  /** Calls on the days of the bill; undefined without a Prometheus. */
  readonly calls: ToolCalls | undefined;
  readonly cost: {
    readonly billed: string;
    readonly effective: string;
    readonly currency: string;
    readonly lines: number;
  };
}

/** What Prometheus saw of a host. */
export interface HostUse {
  /** The largest share of its CPUs that was busy in any 5 minutes, 0 to 1. */
  readonly busiestShare: number;
  readonly days: number;
}

/** What is known when something is looked for. */
export interface Known {
  readonly charges: Charges;
  /** Those of its resources that are still charged where it ends, and cost something. */
  readonly present: readonly ChargedResource[];
  readonly ownedBy: OwnedBy;
  readonly environments: readonly WatchedEnvironment[];
  /** The day that expiry is seen from, UTC. */
  readonly today: string;
  /** By instance id. */
  readonly hostUses: ReadonlyMap<string, HostUse>;
}

/** One way to find what is paid for and not used. Pure. A new one is a file, a line of finders/index.ts and its kinds' names. */
export interface Finder {
  /** What it reads of a bill; a resource is of the first role of the registry that its charges are of. */
  readonly roles: readonly ChargedRole[];
  /** Where AWS says what such charges are. */
  readonly source?: string;
  readonly find: (known: Known) => readonly Finding[];
  /** What a reader has to know of its findings, or of there being none. */
  readonly notes?: (known: Known) => readonly string[];
}
