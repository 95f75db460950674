import type { StackResource, StackRule } from "../rule.ts";

/** What every bucket has beside itself, and what it is for. */
const COMPANIONS: Readonly<Record<string, string>> = {
  "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock": "may be opened to the internet",
  "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration":
    "is not said how to be encrypted",
  "aws:s3/bucketVersioning:BucketVersioning": "loses what is overwritten",
};

export const privateBuckets: StackRule = {
  name: "private-buckets",
  description: "Every bucket is closed to the public, encrypted as somebody decided, and keeps versions.",
  remediation: "Make the missing resource for the bucket; PrivateBucket does.",
  checkStack: (resources) =>
    resources
      .filter(({ type }) => type === "aws:s3/bucket:Bucket")
      .flatMap(({ urn }) =>
        Object.entries(COMPANIONS)
          .filter(([type]) => !resources.some((other) => other.type === type && belongsTo(other, urn)))
          .map(([type, consequence]) => ({
            urn,
            message: `has no ${type.slice(type.lastIndexOf(":") + 1)}: it ${consequence}`,
          })),
      ),
};

function belongsTo(companion: StackResource, bucketUrn: string): boolean {
  return companion.urnsBehind("bucket").includes(bucketUrn);
}
