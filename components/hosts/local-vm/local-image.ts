import { readFile } from "node:fs/promises";
import { readAptTransport, readDebianArchive } from "./apt-sources.ts";
import { buildImage } from "./image/build-image.ts";
import { ensureImage, type ImageBuilder, type VmImage } from "./image/image-cache.ts";
import { type ImageRecipe, LOCAL_IMAGE } from "./image/recipe.ts";
import { readCodename } from "./packages.ts";
import { LocalVmError } from "./vm-error.ts";
import { cacheDir } from "./vm-store.ts";

/** Builds from the Debian archive that this machine's own apt uses. */
const buildFromThisMachine: ImageBuilder = async (recipe, options) => {
  const codename = await readCodename((path) => readFile(path, "utf8"));
  const archive = codename === undefined ? undefined : await readDebianArchive(codename);
  if (archive === undefined) {
    throw new LocalVmError(
      "IMAGE_BUILD",
      "Cannot build the VM image: apt on this machine names no Debian archive",
    );
  }
  if (process.getuid?.() !== 0) {
    throw new LocalVmError(
      "IMAGE_BUILD",
      "Cannot build the VM image: mmdebstrap needs root; run this once as root, the image is kept",
    );
  }
  return buildImage(recipe, { ...options, archive, aptTransport: await readAptTransport() });
};

/** The image of local VMs, or that of another recipe, built when it is not cached. */
export function ensureLocalImage(
  progress: (message: string) => void,
  signal?: AbortSignal,
  recipe: ImageRecipe = LOCAL_IMAGE,
): Promise<VmImage> {
  return ensureImage(recipe, { cacheDir: cacheDir(), build: buildFromThisMachine, progress, signal });
}
