/**
 * Providers write one tag key in many ways: `team`, `user:team`, `user_team` (CUR 2.0), `resourceTags/team` (its tags
 * map), `resource_tags_user_team` (legacy CUR), `Team`, ` team`. All of them are one key here.
 */
const PREFIX = /^(?:resourcetags\/|resource_tags_|tags\/)?(?:user[:_])?/;

/** What two spellings of a key share: no provider's prefix, no case, no separators. */
export function foldTagKey(spelling: string): string {
  const bare = spelling.trim().toLowerCase().replace(PREFIX, "");
  return bare.replaceAll(/[\s_.:-]+/g, "");
}

/** What two spellings of a value share: no case, no spaces around. */
export function foldTagValue(value: string): string {
  return value.trim().toLowerCase();
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

/**
 * The spellings of `key` among those found in the bill, in the order in which a row's are asked: the key as it was
 * given first, then by name, so that a row with two always gives the same.
 */
export function spellingsOf(key: string, found: readonly string[]): readonly string[] {
  const folded = foldTagKey(key);
  return found
    .filter((spelling) => foldTagKey(spelling) === folded)
    .toSorted((a, b) => Number(b === key) - Number(a === key) || compareText(a, b));
}
