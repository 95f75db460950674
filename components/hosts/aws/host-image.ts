import * as aws from "@pulumi/aws";
import * as pulumi from "@pulumi/pulumi";
import type { AwsPool, HostNeeds } from "../../environment/environment-spec.ts";
import type { OwnerTags } from "../../tags/owner-tags.ts";

/** Size of the snapshot of the Deep Learning Base image: a smaller volume fails to launch. */
export const GPU_IMAGE_GIB = 75;

/**
 * Where AWS publishes the newest image for such hosts: Amazon Linux 2023, and the Deep Learning Base image on it where
 * there are GPUs, which brings the NVIDIA driver, its container toolkit and the EFA software.
 */
export function imageParameter({ architecture, gpus }: Pick<HostNeeds, "architecture" | "gpus">): string {
  return gpus === 0
    ? `/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${architecture}`
    : `/aws/service/deeplearning/ami/${architecture}/base-oss-nvidia-driver-gpu-amazon-linux-2023/latest/ami-id`;
}

/** A place in the environment, and the account's provider beside it: the parent has made it, and does not hand it on. */
export interface Within {
  readonly parent: pulumi.Resource;
  readonly provider: pulumi.ProviderResource;
}

/** What AWS publishes, asked once per source: pools of like needs start from the same image. */
export class PublishedImages {
  readonly #opts: Within;
  readonly #newest = new Map<string, pulumi.Output<string>>();

  constructor(opts: Within) {
    this.#opts = opts;
  }

  /** The newest image that the public parameter `source` names. */
  newest(source: string): pulumi.Output<string> {
    const newest =
      this.#newest.get(source) ??
      pulumi.unsecret(aws.ssm.getParameterOutput({ name: source }, this.#opts).value);
    this.#newest.set(source, newest);
    return newest;
  }
}

export interface HostImageArgs {
  readonly pool: AwsPool;
  readonly published: PublishedImages;
  /**
   * Where AWS publishes the newest.
   * @default - that of plain hosts
   */
  readonly source?: string;
  /** The image of every pool of the stack that names none of its own. */
  readonly amiId?: string | undefined;
  readonly tags: OwnerTags;
}

/**
 * The image of a pool's hosts. One that nobody named is looked up once and then kept, in a parameter of the environment's
 * own: AWS moves what it publishes every week or two, and each move would replace every host at the next `up`. A later
 * `image.asOf` makes another parameter, and with it takes the image that is newest then.
 */
export function hostImage(
  name: string,
  { pool, published, tags, amiId, source = imageParameter(pool.needs) }: HostImageArgs,
  opts: Within,
): pulumi.Output<string> {
  const named = pool.image.amiId ?? amiId;
  if (named !== undefined) return pulumi.output(named);
  const newest = published.newest(source);
  const suffix = pool.image.asOf === undefined ? "" : `-${pool.image.asOf}`;
  const kept = new aws.ssm.Parameter(
    `${name}-image${suffix}`,
    {
      type: "String",
      insecureValue: newest,
      description: `Image of the hosts of pool ${pool.name}, from ${source}`,
      tags: { ...tags, Name: name },
    },
    { ...opts, ignoreChanges: ["insecureValue"] },
  );
  void pulumi
    .all([kept.insecureValue, newest])
    .apply(([imageId, candidate]) =>
      imageId === candidate
        ? undefined
        : pulumi.log.info(
            `pool ${pool.name} keeps image ${imageId}; the newest is ${candidate}: a later image.asOf takes it`,
            kept,
          ),
    );
  return kept.insecureValue;
}
