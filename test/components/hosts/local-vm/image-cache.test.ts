import { mkdir, mkdtemp, readdir, readFile, rm, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { IMAGE_FILES } from "../../../../components/hosts/local-vm/image/build-image.ts";
import { ensureImage, type ImageBuilder } from "../../../../components/hosts/local-vm/image/image-cache.ts";
import { LOCAL_IMAGE, recipeDigest, recipeOf } from "../../../../components/hosts/local-vm/image/recipe.ts";
import { imageOptionsSchema } from "../../../../components/hosts/local-vm/vm-spec.ts";

let cacheDir: string;
let builds: number;
let said: string[];

beforeEach(async () => {
  cacheDir = await mkdtemp(join(tmpdir(), "bedplate-cache-"));
  builds = 0;
  said = [];
});

afterEach(() => rm(cacheDir, { recursive: true, force: true }));

/** Writes small files in place of a Debian: the cache does not look into them. */
const build: ImageBuilder = async (_, { folder }) => {
  builds++;
  for (const name of Object.values(IMAGE_FILES)) {
    await writeFile(join(folder, name), `${name} of build ${builds}\n`);
    await sleep(5);
  }
  return { kernelRelease: "6.1.0-test", packages: ["bash=5"] };
};

const ensure = (builder: ImageBuilder = build) =>
  ensureImage(LOCAL_IMAGE, { cacheDir, build: builder, progress: (message) => said.push(message) });

describe("ensureImage()", () => {
  test("builds once and then finds the image under its recipe's digest", async () => {
    const first = await ensure();
    const second = await ensure();
    expect(builds).toBe(1);
    expect(first.wasBuilt).toBe(true);
    expect(second.wasBuilt).toBe(false);
    expect(second.folder).toBe(join(cacheDir, "images", recipeDigest(LOCAL_IMAGE)));
  });

  test("rebuilds an image whose disk is cut short", async () => {
    const { rootDisk } = await ensure();
    await truncate(rootDisk, 5);
    expect((await ensure()).wasBuilt).toBe(true);
    expect(said.join()).toContain("root.qcow2 has 5 bytes");
    expect(await readFile(rootDisk, "utf8")).toContain("build 2");
  });

  test("rebuilds an image with one byte altered and its size kept", async () => {
    const { initrd } = await ensure();
    const text = await readFile(initrd, "utf8");
    await writeFile(initrd, text.replace("1", "7"));
    expect((await ensure()).wasBuilt).toBe(true);
    expect(said.join()).toContain("initrd.cpio is not what was built");
  });

  test("rebuilds an image whose manifest is not readable", async () => {
    const { folder } = await ensure();
    await writeFile(join(folder, "manifest.json"), "{");
    expect((await ensure()).wasBuilt).toBe(true);
  });

  test("lets callers at the same time share one build", async () => {
    const images = await Promise.all([ensure(), ensure(), ensure()]);
    expect(builds).toBe(1);
    expect(images.filter((image) => image.wasBuilt)).toHaveLength(1);
  });

  test("leaves nothing behind when a build fails, nor what a killed one left", async () => {
    await ensure();
    const images = join(cacheDir, "images");
    await rm(join(images, recipeDigest(LOCAL_IMAGE)), { recursive: true });
    await writeFile(join(images, `.building-${recipeDigest(LOCAL_IMAGE)}-dead`), "left");
    const failing: ImageBuilder = () => Promise.reject(new Error("no archive"));
    await expect(ensure(failing)).rejects.toThrow("no archive");
    expect(await readdir(images)).toEqual([]);
  });
});

describe("ensureImage() with a full cache", () => {
  /** An image that was last asked for `hours` ago. */
  async function oldImage(name: string, hours: number): Promise<void> {
    const folder = join(cacheDir, "images", name);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, "manifest.json"), "{}");
    const at = new Date(Date.now() - hours * 3_600_000);
    await utimes(join(folder, "manifest.json"), at, at);
  }
  const left = async (): Promise<string[]> =>
    (await readdir(join(cacheDir, "images"))).filter((name) => name.startsWith("image"));

  test("removes those that were not asked for the longest, after a build and only then", async () => {
    for (let age = 2; age <= 9; age++) await oldImage(`image${age}`, age);
    await ensure();
    expect(await left()).toEqual(["image2", "image3", "image4", "image5", "image6"]);
    await oldImage("image9", 9);
    await ensure();
    expect(await left()).toContain("image9");
  });

  test("never removes one that was asked for within the hour", async () => {
    for (let index = 0; index < 8; index++) await oldImage(`image${index}`, 0);
    await ensure();
    expect(await left()).toHaveLength(8);
  });
});

describe("recipeOf()", () => {
  const recipe = (options: object) => recipeOf(imageOptionsSchema.parse(options));

  test("gives the local image where nothing is asked for, or only what it has", () => {
    expect(recipeDigest(recipe({}))).toBe(recipeDigest(LOCAL_IMAGE));
    expect(recipeDigest(recipe({ extraPackages: ["udev"], extraModuleFolders: ["net"] }))).toBe(
      recipeDigest(LOCAL_IMAGE),
    );
  });

  test("adds packages and modules, whatever their order", () => {
    const one = recipe({ extraPackages: ["mdadm", "irqbalance", "mdadm"] });
    expect(one.packages.slice(LOCAL_IMAGE.packages.length)).toEqual(["irqbalance", "mdadm"]);
    expect(recipeDigest(recipe({ extraPackages: ["irqbalance", "mdadm"] }))).toBe(recipeDigest(one));
  });

  test("leaves Debian 13 its own cloud-init", () => {
    const trixie = recipe({ suite: "trixie" });
    expect(trixie.suite).toBe("trixie");
    expect(trixie.files.filter((file) => file.path.includes("cloud-init"))).toEqual([]);
  });
});

describe("recipeDigest()", () => {
  test("changes with a package, a file's text and the builder", () => {
    const digests = [
      LOCAL_IMAGE,
      { ...LOCAL_IMAGE, packages: [...LOCAL_IMAGE.packages, "vim"] },
      { ...LOCAL_IMAGE, files: [...LOCAL_IMAGE.files, { path: "/etc/x", text: "x" }] },
      { ...LOCAL_IMAGE, builderVersion: LOCAL_IMAGE.builderVersion + 1 },
    ].map(recipeDigest);
    expect(new Set(digests).size).toBe(digests.length);
  });
});
