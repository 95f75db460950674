import { gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { renderCpio } from "../../../../components/hosts/local-vm/image/cpio.ts";
import { moduleLoadOrder } from "../../../../components/hosts/local-vm/image/initrd.ts";
import { extractVmlinux } from "../../../../components/hosts/local-vm/image/vmlinux.ts";
import { describeWith, program } from "../../../helpers/needs.ts";
import { execa } from "execa";

const ELF = Buffer.concat([Buffer.from("7f454c46", "hex"), Buffer.alloc(4096, "kernel")]);

/** A bzImage by the boot protocol: one setup sector, the payload 64 bytes into the protected-mode part. */
function bzImage(payload: Buffer): Buffer {
  const image = Buffer.alloc(1024 + 64 + payload.length + 512, 0xaa);
  image.writeUInt8(1, 0x1f1);
  image.write("HdrS", 0x202, "latin1");
  image.writeUInt32LE(64, 0x248);
  image.writeUInt32LE(payload.length, 0x24c);
  payload.copy(image, 1024 + 64);
  return image;
}

describe("extractVmlinux()", () => {
  test("takes the kernel out by the offsets of the boot header", async () => {
    expect(await extractVmlinux(bzImage(gzipSync(ELF)))).toEqual(ELF);
  });

  test("fails for a file that is no bzImage", async () => {
    await expect(extractVmlinux(Buffer.alloc(4096))).rejects.toThrow("no x86 boot header");
  });

  test("fails when the payload holds no kernel", async () => {
    await expect(extractVmlinux(bzImage(gzipSync(Buffer.from("not a kernel"))))).rejects.toThrow(
      "no ELF file",
    );
  });
});

describe("moduleLoadOrder()", () => {
  const DEP = [
    "kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz",
    "kernel/fs/jbd2/jbd2.ko.xz:",
    "kernel/lib/crc16.ko.xz:",
    "kernel/drivers/virtio/virtio_pci.ko: kernel/drivers/virtio/virtio_ring.ko kernel/drivers/virtio/virtio.ko",
    "kernel/drivers/virtio/virtio_ring.ko: kernel/drivers/virtio/virtio.ko",
    "kernel/drivers/virtio/virtio.ko:",
    "",
  ].join("\n");

  test("puts each module after what it needs, once", () => {
    const order = moduleLoadOrder(DEP, ["virtio-pci", "ext4", "virtio_ring"]).map((path) =>
      path.split("/").at(-1),
    );
    expect(order).toEqual([
      "virtio.ko",
      "virtio_ring.ko",
      "virtio_pci.ko",
      "crc16.ko.xz",
      "jbd2.ko.xz",
      "ext4.ko.xz",
    ]);
  });

  test("leaves out what is built into the kernel", () => {
    expect(moduleLoadOrder(DEP, ["crc32c_generic"])).toEqual([]);
  });
});

describeWith(
  [program("busybox", "apt-get install busybox-static", "--help")],
  "renderCpio() read by busybox",
  () => {
    test("makes an archive whose names, sizes and contents come back", async () => {
      const archive = renderCpio([
        { path: "bin", mode: 0o40755 },
        { path: "init", mode: 0o100755, data: Buffer.from("#!/bin/sh\necho hi\n") },
        { path: "odd", mode: 0o100644, data: Buffer.from("abc") },
      ]);
      const list = await execa("busybox", ["cpio", "-t", "-v"], { input: archive });
      const lines = list.stdout.split("\n");
      expect(lines.map((line) => line.split(/\s+/).at(-1))).toEqual(["bin", "init", "odd"]);
      expect(lines[1]).toMatch(/^-rwxr-xr-x .* 18 /);
      const text = await execa("busybox", ["cpio", "-i", "--to-stdout", "odd"], { input: archive });
      expect(text.stdout).toBe("abc");
    });
  },
);
