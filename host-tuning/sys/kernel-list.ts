import * as z from "zod";

/** Largest CPU or node number taken; the kernel's own ceiling (CONFIG_NR_CPUS) is 8192. */
const MAX_ID = 65_535;

/** Numbers that one list may name, repeats counted: a kernel's list has none, and a hostile one must not stall us. */
const MAX_NAMED = 4 * MAX_ID;

/**
 * Parses the kernel's list form ("0-3,8,10-11") to sorted unique numbers; "" is the empty list.
 *
 * @returns `undefined` when the text is not a kernel list or names a number over 65535
 */
export function parseKernelList(text: string): number[] | undefined {
  const trimmed = text.trim();
  if (trimmed === "") return [];
  const ids = new Set<number>();
  let named = 0;
  for (const part of trimmed.split(",")) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(part.trim());
    if (match?.[1] === undefined) return undefined;
    const first = Number(match[1]);
    const last = match[2] === undefined ? first : Number(match[2]);
    named += last - first + 1;
    if (last < first || last > MAX_ID || named > MAX_NAMED) return undefined;
    for (let id = first; id <= last; id++) ids.add(id);
  }
  return [...ids].toSorted((a, b) => a - b);
}

/** Renders numbers in the kernel's list form, ranges folded: [0,1,2,8] is "0-2,8". */
export function formatKernelList(ids: Iterable<number>): string {
  const sorted = [...new Set(ids)].toSorted((a, b) => a - b);
  const ranges: string[] = [];
  for (let index = 0; index < sorted.length; index++) {
    const first = sorted[index] ?? 0;
    let last = first;
    while (sorted[index + 1] === last + 1) last = sorted[++index] ?? last;
    ranges.push(first === last ? String(first) : `${first}-${last}`);
  }
  return ranges.join(",");
}

/**
 * Renders numbers as the kernel's hexadecimal mask: 32-bit words, comma between them, most significant first.
 *
 * @example [0, 33] is "00000002,00000001"
 */
export function formatKernelMask(ids: Iterable<number>): string {
  const words: number[] = [0];
  for (const id of ids) {
    const word = Math.floor(id / 32);
    while (words.length <= word) words.push(0);
    words[word] = ((words[word] ?? 0) | (1 << (id % 32))) >>> 0;
  }
  return words
    .toReversed()
    .map((word) => word.toString(16).padStart(8, "0"))
    .join(",");
}

/**
 * Parses the kernel's hexadecimal mask to sorted numbers.
 *
 * @returns `undefined` when the text is no mask
 */
export function parseKernelMask(text: string): number[] | undefined {
  const words = text.trim().split(",");
  if (words.length * 32 > MAX_ID + 1 || !words.every((word) => /^[0-9a-f]{1,8}$/i.test(word)))
    return undefined;
  return words.toReversed().flatMap((word, index) => {
    const bits = Number.parseInt(word, 16);
    return Array.from({ length: 32 }, (_, bit) => bit)
      .filter((bit) => ((bits >>> bit) & 1) === 1)
      .map((bit) => index * 32 + bit);
  });
}

/** A kernel list in a contract: kept as text in canonical form. */
export const kernelListSchema = z
  .string()
  .refine((text) => parseKernelList(text) !== undefined, 'a kernel list as in "0-3,8"')
  .overwrite((text) => formatKernelList(parseKernelList(text) ?? []));
