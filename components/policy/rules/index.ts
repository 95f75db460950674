import type { Rule } from "../rule.ts";
import { encryptedAtRest } from "./encrypted-at-rest.ts";
import { gpuHasOwner } from "./gpu-has-owner.ts";
import { hostPoolHasBudget } from "./host-pool-has-budget.ts";
import { imdsv2Only } from "./imdsv2-only.ts";
import { ownerTagsEverywhere } from "./owner-tags-everywhere.ts";
import { pinnedImages } from "./pinned-images.ts";
import { privateBuckets } from "./private-buckets.ts";
import { notPublic } from "./not-public.ts";

/** Every rule of the policy pack. */
export const RULES: readonly Rule[] = [
  encryptedAtRest,
  gpuHasOwner,
  hostPoolHasBudget,
  imdsv2Only,
  notPublic,
  ownerTagsEverywhere,
  pinnedImages,
  privateBuckets,
];
