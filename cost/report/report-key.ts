import { type Fault, InputError } from "../../host-tuning/errors.ts";
import type { ReadColumn } from "./focus-columns.ts";

/** What the bill is split by: a tag, or a column of the bill. */
export type ReportKey =
  | { readonly by: string; readonly kind: "tag"; readonly tagKey: string; readonly plural: string }
  | { readonly by: string; readonly kind: "column"; readonly column: ReadColumn; readonly plural: string };

/** The owner tags that every resource of an environment carries (`ownerTags` writes them). */
const TAG_KEYS = {
  team: "teams",
  "cost-center": "cost centers",
  service: "services",
  environment: "environments",
} as const;

const COLUMN_KEYS = {
  account: { column: "SubAccountId", plural: "accounts" },
  provider: { column: "ProviderName", plural: "providers" },
  "provider-service": { column: "ServiceName", plural: "provider services" },
  region: { column: "RegionId", plural: "regions" },
} as const satisfies Record<string, { column: ReadColumn; plural: string }>;

export const REPORT_KEYS = [...Object.keys(TAG_KEYS), ...Object.keys(COLUMN_KEYS)];

/**
 * The key of `--by`, asked for under another tag where `--tag-key` names one.
 *
 * @throws {InputError} when there is no such key, or when a column was asked for with a tag key
 */
export function reportKey(by: string, tagKey: string | undefined): ReportKey {
  const faults: Fault[] = [];
  if (tagKey?.trim() === "") faults.push({ path: "--tag-key", message: "the key is empty" });
  if (Object.hasOwn(TAG_KEYS, by) && faults.length === 0) {
    const plural = TAG_KEYS[by as keyof typeof TAG_KEYS];
    return { by, kind: "tag", tagKey: tagKey ?? by, plural };
  }
  if (Object.hasOwn(COLUMN_KEYS, by)) {
    if (tagKey === undefined) {
      return { by, kind: "column", ...COLUMN_KEYS[by as keyof typeof COLUMN_KEYS] };
    }
    faults.push({ path: "--tag-key", message: `"${by}" is a column of the bill, not a tag` });
  } else if (!Object.hasOwn(TAG_KEYS, by)) {
    faults.push({ path: "--by", message: `"${by}" is none of ${REPORT_KEYS.join(", ")}` });
  }
  throw new InputError("command line", faults);
}
