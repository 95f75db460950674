import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rename, rm, stat, utimes, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { pipeline } from "node:stream/promises";
import * as z from "zod";
import { withExclusiveLock } from "../exclusive-lock.ts";
import { LocalVmError } from "../vm-error.ts";
import { type BuildOptions, type BuiltImage, GRUB_DISK, IMAGE_FILES } from "./build-image.ts";
import { type ImageRecipe, recipeDigest } from "./recipe.ts";

const MANIFEST = "manifest.json";

const manifestSchema = z.object({
  recipe: z.string(),
  kernelRelease: z.string(),
  builtAt: z.string(),
  files: z.record(z.string(), z.object({ bytes: z.int(), sha256: z.string() })),
  packages: z.array(z.string()),
});

export type ImageManifest = z.output<typeof manifestSchema>;

/** An image that is there and whose every byte has been checked. */
export interface VmImage {
  readonly folder: string;
  readonly rootDisk: string;
  readonly vmlinux: string;
  readonly initrd: string;
  readonly probeInitrd: string;
  /** Only of an image whose recipe has a boot loader. */
  readonly grubDisk: string | undefined;
  readonly manifest: ImageManifest;
  readonly wasBuilt: boolean;
}

export type ImageBuilder = (
  recipe: ImageRecipe,
  options: Pick<BuildOptions, "folder" | "progress">,
) => Promise<BuiltImage>;

export interface EnsureImageOptions {
  readonly cacheDir: string;
  readonly build: ImageBuilder;
  readonly progress: (message: string) => void;
  readonly signal?: AbortSignal | undefined;
}

const LOCK_WAIT_MILLIS = 1_200_000;

/** Images that stay whatever their age; one is about a gigabyte. */
const KEPT_IMAGES = 6;

/** An image that was asked for a moment ago may be one whose QEMU is about to open it. */
const GRACE_MILLIS = 3_600_000;

async function digestFile(path: string): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), hash);
  return { bytes: (await stat(path)).size, sha256: hash.digest("hex") };
}

async function digestFiles(folder: string): Promise<ImageManifest["files"]> {
  const names = [...Object.values(IMAGE_FILES), ...(existsSync(join(folder, GRUB_DISK)) ? [GRUB_DISK] : [])];
  const digests = await Promise.all(
    names.map(async (name) => [name, await digestFile(join(folder, name))] as const),
  );
  return Object.fromEntries(digests);
}

/** The manifest of a cached image; a sentence on what is wrong with it; `undefined` when there is none. */
async function checkCached(folder: string): Promise<ImageManifest | string | undefined> {
  let text: string;
  try {
    text = await readFile(join(folder, MANIFEST), "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
  let manifest: ImageManifest;
  try {
    manifest = manifestSchema.parse(JSON.parse(text));
  } catch {
    return "its manifest is not readable";
  }
  // Sizes first: a file that is cut short is found without reading the others.
  for (const [name, wanted] of Object.entries(manifest.files)) {
    const size = await stat(join(folder, name)).then(
      (found) => found.size,
      () => undefined,
    );
    if (size !== wanted.bytes) return `${name} has ${size ?? "no"} bytes, ${wanted.bytes} were built`;
  }
  const found = await digestFiles(folder);
  const altered = Object.keys(found).find((name) => found[name]?.sha256 !== manifest.files[name]?.sha256);
  return altered === undefined ? manifest : `${altered} is not what was built`;
}

function imageOf(folder: string, manifest: ImageManifest, wasBuilt: boolean): VmImage {
  return {
    folder,
    rootDisk: join(folder, IMAGE_FILES.rootDisk),
    vmlinux: join(folder, IMAGE_FILES.vmlinux),
    initrd: join(folder, IMAGE_FILES.initrd),
    probeInitrd: join(folder, IMAGE_FILES.probeInitrd),
    grubDisk: manifest.files[GRUB_DISK] === undefined ? undefined : join(folder, GRUB_DISK),
    manifest,
    wasBuilt,
  };
}

async function buildInto(
  folder: string,
  recipe: ImageRecipe,
  options: EnsureImageOptions,
): Promise<ImageManifest> {
  const images = dirname(folder);
  const prefix = `.building-${basename(folder)}-`;
  for (const name of await readdir(images)) {
    // We hold this recipe's lock, so whoever was building it here is dead.
    if (name.startsWith(prefix)) await rm(join(images, name), { recursive: true, force: true });
  }
  const building = await mkdtemp(join(images, prefix));
  try {
    const built = await options.build(recipe, { folder: building, progress: options.progress });
    const manifest: ImageManifest = {
      recipe: recipeDigest(recipe),
      kernelRelease: built.kernelRelease,
      builtAt: new Date().toISOString(),
      files: await digestFiles(building),
      packages: [...built.packages],
    };
    await writeFile(join(building, MANIFEST), `${JSON.stringify(manifest, undefined, 2)}\n`);
    await rm(folder, { recursive: true, force: true });
    await rename(building, folder);
    return manifest;
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/**
 * The image of a recipe, from the cache when it is there and whole, else built. An image appears in the cache by one
 * rename, so nobody sees half of one; builders take turns.
 */
export async function ensureImage(recipe: ImageRecipe, options: EnsureImageOptions): Promise<VmImage> {
  const images = join(options.cacheDir, "images");
  const folder = join(images, recipeDigest(recipe));
  await mkdir(images, { recursive: true });
  const waiting = (): void => options.progress("waiting for another process that builds or checks the image");
  const lock = { waitMillis: LOCK_WAIT_MILLIS, onWait: waiting, signal: options.signal };
  return withExclusiveLock(folder, lock, async () => {
    const cached = await checkCached(folder);
    if (typeof cached === "object") {
      const now = new Date();
      await utimes(join(folder, MANIFEST), now, now);
      return imageOf(folder, cached, false);
    }
    if (typeof cached === "string") options.progress(`rebuilding the cached image: ${cached}`);
    const manifest = await buildInto(folder, recipe, options);
    await pruneImages(images);
    return imageOf(folder, manifest, true);
  });
}

/**
 * Removes images that were not asked for lately. A VM that runs keeps its disk open; one that is stopped is made anew
 * over the next image, as after every change of its recipe.
 */
async function pruneImages(images: string): Promise<void> {
  const found = await Promise.all(
    (await readdir(images)).map(async (name) => {
      const manifest = await stat(join(images, name, MANIFEST)).catch(() => undefined);
      return { folder: join(images, name), usedMillis: manifest?.mtimeMs };
    }),
  );
  const old = found
    // Without a manifest it is being built.
    .flatMap(({ folder, usedMillis }) => (usedMillis === undefined ? [] : [{ folder, usedMillis }]))
    .toSorted((a, b) => b.usedMillis - a.usedMillis)
    .slice(KEPT_IMAGES)
    .filter(({ usedMillis }) => Date.now() - usedMillis > GRACE_MILLIS);
  for (const { folder } of old) await removeUnlessBusy(folder);
}

async function removeUnlessBusy(folder: string): Promise<void> {
  try {
    await withExclusiveLock(folder, { waitMillis: 0 }, () => rm(folder, { recursive: true, force: true }));
  } catch (error) {
    // Somebody is checking it, so it is in use after all.
    if (error instanceof LocalVmError && error.code === "VM_BUSY") return;
    throw error;
  }
}
