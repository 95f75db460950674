import type { ChargedResource } from "../charges.ts";
import type { Finder } from "../finder.ts";
import { findingOf, hoursBetween, type Judgement } from "../finding.ts";
import type { ChargedRole } from "../sign.ts";

/** Stopped for less of its time than this, a database is one that works in hours of its own. Our choice. */
const MOSTLY_STOPPED_SHARE = 0.75;

/** A DB instance of RDS, by its storage. Backups are charged for stopped and running ones alike, and are not in it. */
const DATABASE: ChargedRole = {
  name: "database",
  being: {
    usageTypes: [
      "%RDS:%-Storage",
      "%RDS:%-Storage-IO2",
      "%RDS:StorageUsage",
      "%RDS:%PIOPS",
      "%RDS:%-Throughput",
    ],
    descriptions: ["%storage running%", "%iops-month running%"],
  },
  use: {
    usageTypes: ["%InstanceUsage%:db.%", "%Multi-AZUsage%:db.%", "%MirrorUsage%:db.%"],
    descriptions: ["% db.%instance hour%", "% db.%instance-hour%"],
  },
  // Free and reserved hours are hours too.
  isUsedAtNoCost: true,
};

/** Storage of a cluster is on the cluster, and the hours of its instances on these. */
function isOfCluster({ resource }: ChargedResource): boolean {
  return resource.includes(":cluster:");
}

function judgeDatabase({
  first,
  last,
  use_hours: ran,
  last_use: lastUse,
}: ChargedResource): Judgement | undefined {
  const hours = Math.round(hoursBetween(first, last));
  if (hours <= 0 || 1 - ran / hours < MOSTLY_STOPPED_SHARE) return undefined;
  return {
    confidence: ran === 0 ? "high" : "medium",
    evidence: [
      `its storage is charged for ${hours} hours, and instance hours for ${ran === 0 ? "none" : `${ran}`} of them`,
      ...(lastUse === null ? [] : [`its last instance hours in the bill end at ${lastUse.slice(0, 16)} UTC`]),
    ],
    unusedSince: lastUse,
  };
}

const ACTION =
  "take a last snapshot and delete it where nobody starts it: AWS starts a stopped one again after 7 days";

/** DB instances of RDS that are charged for storage, and for few or no instance hours. */
export const stoppedDatabase: Finder = {
  roles: [DATABASE],
  source: "https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_StopInstance.html",
  find: ({ present, ownedBy }) =>
    present
      .filter((resource) => resource.role === DATABASE.name && !isOfCluster(resource))
      .flatMap((database) => {
        const judgement = judgeDatabase(database);
        return judgement === undefined
          ? []
          : [findingOf("stopped-database", database, judgement, ACTION, ownedBy)];
      }),
};
