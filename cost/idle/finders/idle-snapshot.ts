import { foldTagValue } from "../../report/tag-spelling.ts";
import type { ChargedResource } from "../charges.ts";
import type { Finder } from "../finder.ts";
import { dayOf, findingOf, hoursBetween, type Judgement } from "../finding.ts";
import { type ChargedRole, VOLUME } from "../sign.ts";
import { besideOf, whereOf } from "./beside.ts";

/** Kept for longer, a snapshot is a backup that nobody rotates. As long as EBS keeps an archived one at least. Our choice. */
const OLD_AFTER_DAYS = 90;

/** Snapshots in the standard tier; those in the archive are put away already. */
const SNAPSHOT: ChargedRole = {
  name: "snapshot",
  being: {
    usageTypes: ["%EBS:SnapshotUsage", "%EBS:SnapshotUsageUnderBilling"],
    descriptions: ["%snapshot data stored%"],
  },
};

/** A bill names neither a snapshot's volume nor its age: what it says is what is charged beside it, and since when. */
function judgeSnapshot(
  snapshot: ChargedResource,
  volumes: readonly ChargedResource[],
  end: string,
): Judgement | undefined {
  const { environment, seen } = snapshot;
  const where = whereOf(snapshot);
  const beside = besideOf(snapshot, volumes);
  const days = Math.floor(hoursBetween(seen, end) / 24);
  const isAlone = beside.length === 0;
  const isOld = days >= OLD_AFTER_DAYS;
  const hasEnvironment = beside.some(
    (volume) => foldTagValue(volume.environment ?? "") === foldTagValue(environment ?? ""),
  );
  const isOfNone = !isAlone && environment !== null && !hasEnvironment;
  if (!isAlone && !isOld && !isOfNone) return undefined;
  return {
    confidence: isAlone || isOld ? "medium" : "low",
    evidence: [
      ...(isAlone
        ? [
            `no volume of ${where} has a charge in the month: the one that it is of is gone or elsewhere`,
            "a copy that is kept for recovery looks the same",
          ]
        : []),
      ...(isOld ? [`it is charged since ${dayOf(seen)} at least, ${days} days`] : []),
      ...(isOfNone ? [`no volume tagged ${environment} has a charge in ${where}; others there have`] : []),
    ],
  };
}

const ACTION =
  "look what keeps it (an AMI, AWS Backup, a lifecycle policy); delete it where nothing does, or archive it";

/** EBS snapshots that are old, or that no volume is charged beside. */
export const idleSnapshot: Finder = {
  roles: [VOLUME, SNAPSHOT],
  source: "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-snapshots.html",
  find: ({ charges: { resources, last }, present, ownedBy }) => {
    const volumes = resources.filter(({ role }) => role === VOLUME.name);
    return present
      .filter(({ role }) => role === SNAPSHOT.name)
      .flatMap((snapshot) => {
        const judgement = judgeSnapshot(snapshot, volumes, last);
        return judgement === undefined
          ? []
          : [findingOf("idle-snapshot", snapshot, judgement, ACTION, ownedBy)];
      });
  },
  notes: ({ charges }) =>
    charges.resources.some(({ role }) => role === SNAPSHOT.name)
      ? [
          `a bill names no snapshot's volume, and its age only as far back as the bill goes: from ${OLD_AFTER_DAYS} days on it is old`,
        ]
      : [],
};
