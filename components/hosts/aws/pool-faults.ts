import type { Fault } from "../../../host-tuning/errors.ts";
import type { AwsPool } from "../../environment/environment-spec.ts";
import { GPU_IMAGE_GIB } from "./host-image.ts";

/** Hosts that a spread placement group holds in one zone: EC2 user guide, "Placement groups". */
const SPREAD_HOSTS_PER_ZONE = 7;
/** EBS user guide, "Amazon EBS volume types". */
const GP3_IOPS_PER_GIB = 500;
const GP3_IOPS_PER_MIB_PER_SEC = 4;
const IO2_IOPS_PER_GIB = 1000;

/** What stands between a pool's own settings on AWS, which no single one of them shows. */
export function poolFaults(pool: AwsPool, path: string): Fault[] {
  return [...capacityFaults(pool), ...spotFaults(pool), ...volumeFaults(pool), ...imageFaults(pool)].map(
    (fault) => ({ path: `${path}.${fault.path}`, message: fault.message }),
  );
}

function capacityFaults(pool: AwsPool): Fault[] {
  const [kind, key] =
    pool.capacityBlockId === undefined
      ? ["a capacity reservation", "capacityReservationId"]
      : ["a capacity block", "capacityBlockId"];
  if (pool.capacityBlockId === undefined && pool.capacityReservationId === undefined)
    return spreadFaults(pool);
  const faults: Fault[] = [];
  if (pool.capacityBlockId !== undefined && pool.capacityReservationId !== undefined)
    faults.push({
      path: "capacityReservationId",
      message: "cannot go with a capacity block: hosts take one",
    });
  if (pool.placement !== "none")
    faults.push({
      path: "placement",
      message: `"${pool.placement}" cannot go with ${kind}: its hosts stand where it was made`,
    });
  if (pool.spot) faults.push({ path: "spot", message: `spot hosts cannot use ${kind}` });
  if (pool.zones?.length !== 1)
    faults.push({ path: "zones", message: `${kind} lies in one zone: name the one of ${key}` });
  if (pool.warmPool !== undefined)
    faults.push({ path: "warmPool", message: `stopped hosts hold no place in ${kind}` });
  return faults;
}

function spreadFaults(pool: AwsPool): Fault[] {
  const most = SPREAD_HOSTS_PER_ZONE * (pool.zones?.length ?? Number.POSITIVE_INFINITY);
  const count = pool.maxCount ?? pool.count;
  if (pool.placement === "cluster" && (pool.zones?.length ?? 1) > 1)
    return [{ path: "zones", message: "a cluster placement group lies in one zone" }];
  if (pool.placement !== "spread" || count <= most) return [];
  return [{ path: "placement", message: `"spread" holds ${most} hosts in these zones, not ${count}` }];
}

function spotFaults(pool: AwsPool): Fault[] {
  const faults: Fault[] = [];
  if (pool.onDemandCount > 0 && !pool.spot)
    faults.push({ path: "onDemandCount", message: "is of a spot pool: hosts of others are all on demand" });
  if (pool.onDemandCount > pool.count)
    faults.push({ path: "onDemandCount", message: `${pool.onDemandCount} is above count ${pool.count}` });
  if (pool.warmPool !== undefined && pool.spot)
    faults.push({ path: "warmPool", message: "spot hosts cannot wait stopped" });
  return faults;
}

function volumeFaults({ rootVolume, rootVolumeGiB }: AwsPool): Fault[] {
  const perGiB = rootVolume.type === "gp3" ? GP3_IOPS_PER_GIB : IO2_IOPS_PER_GIB;
  const faults: Fault[] = [];
  if (rootVolume.iops > perGiB * rootVolumeGiB)
    faults.push({
      path: "rootVolume.iops",
      message: `${rootVolume.iops} are above ${perGiB} per GiB: ${rootVolumeGiB} GiB have at most ${perGiB * rootVolumeGiB}`,
    });
  if (
    rootVolume.type === "gp3" &&
    rootVolume.throughputMiBPerSec * GP3_IOPS_PER_MIB_PER_SEC > rootVolume.iops
  )
    faults.push({
      path: "rootVolume.throughputMiBPerSec",
      message: `${rootVolume.throughputMiBPerSec} MiB/s take ${rootVolume.throughputMiBPerSec * GP3_IOPS_PER_MIB_PER_SEC} IOPS, and it has ${rootVolume.iops}`,
    });
  return faults;
}

function imageFaults({ image, needs, rootVolumeGiB }: AwsPool): Fault[] {
  const faults: Fault[] = [];
  if (image.amiId !== undefined && image.asOf !== undefined)
    faults.push({ path: "image.asOf", message: "says nothing of an image that is named: leave it out" });
  if (image.amiId === undefined && needs.gpus > 0 && rootVolumeGiB < GPU_IMAGE_GIB)
    faults.push({
      path: "rootVolumeGiB",
      message: `${rootVolumeGiB} is below the ${GPU_IMAGE_GIB} of the image with the NVIDIA driver`,
    });
  return faults;
}
