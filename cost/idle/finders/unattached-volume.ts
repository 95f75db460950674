import { foldTagValue } from "../../report/tag-spelling.ts";
import type { ChargedResource } from "../charges.ts";
import type { Finder } from "../finder.ts";
import { findingOf, hoursBetween, type Judgement } from "../finding.ts";
import { GONE_AFTER_HOURS } from "../gone.ts";
import { INSTANCE, VOLUME } from "../sign.ts";
import { besideOf, whereOf } from "./beside.ts";

/** What runs beside a volume: a bill never says what a volume is attached to. */
function judgeVolume(
  volume: ChargedResource,
  instances: readonly ChargedResource[],
  end: string,
): Judgement | undefined {
  const beside = besideOf(volume, instances);
  const where = whereOf(volume);
  const latest = beside
    .map(({ last }) => last)
    .toSorted()
    .at(-1);
  if (latest === undefined) {
    return {
      confidence: "high",
      evidence: [
        `no instance of ${where} has a charge in the bill: it is on none, or on one that is stopped`,
      ],
    };
  }
  if (hoursBetween(latest, end) > GONE_AFTER_HOURS) {
    return {
      confidence: "medium",
      evidence: [
        `the last charge of an instance of ${where} ends at ${latest.slice(0, 16)} UTC, and it is charged on`,
      ],
      unusedSince: latest < volume.seen ? volume.seen : latest,
    };
  }
  const { environment } = volume;
  if (environment === null) return undefined;
  const own = beside.filter(
    (instance) => foldTagValue(instance.environment ?? "") === foldTagValue(environment),
  );
  if (own.length > 0) return undefined;
  return {
    confidence: "low",
    evidence: [
      `no instance tagged ${environment} has a charge in ${where}; others there have, and may have it`,
    ],
  };
}

const ACTION = "look whether it is attached; keep a snapshot and delete it where it is not";

/** EBS volumes beside which no instance runs. */
export const unattachedVolume: Finder = {
  roles: [INSTANCE, VOLUME],
  source: "https://docs.aws.amazon.com/ebs/latest/userguide/ebs-volumes.html",
  find: ({ charges: { resources, last }, present, ownedBy }) => {
    const instances = resources.filter(({ role }) => role === INSTANCE.name);
    return present
      .filter(({ role }) => role === VOLUME.name)
      .flatMap((volume) => {
        const judgement = judgeVolume(volume, instances, last);
        return judgement === undefined
          ? []
          : [findingOf("unattached-volume", volume, judgement, ACTION, ownedBy)];
      });
  },
  notes: ({ charges }) =>
    charges.resources.some(({ role }) => role === VOLUME.name)
      ? [
          "a bill does not say what a volume is attached to: what is said of volumes follows from what runs beside them",
        ]
      : [],
};
