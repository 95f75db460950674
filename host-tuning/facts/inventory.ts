import * as z from "zod";

const text = z
  .string()
  .nullish()
  .transform((value) => (value == null || value.trim() === "" ? null : value.trim()));
const optionalNumber = z
  .number()
  .nullish()
  .transform((value) => value ?? null);

/**
 * What a person wants to know about a machine and no decision rests on: names out of firmware tables and driver
 * databases. Serial numbers are left out on purpose; an inventory gets pasted into tickets.
 */
export const inventorySchema = z.object({
  system: z.object({ manufacturer: text, model: text, version: text }),
  board: z.object({ manufacturer: text, model: text }),
  firmware: z.object({ vendor: text, version: text, releaseDate: text }),
  os: z.object({ distribution: text, release: text, kernel: text, architecture: text }),
  gpus: z.array(z.object({ vendor: text, model: text, memoryMiB: optionalNumber })),
});

export type Inventory = z.output<typeof inventorySchema>;

/** dmidecode or lspci on a sick machine may hang; an inventory is not worth the wait. Our choice. */
const TIMEOUT_MILLIS = 20_000;

/**
 * Asks the running machine for its inventory. Starts processes (lspci, dmidecode), loads a large library and takes a
 * second, so it is for `facts` shown to a person and never for plan or verify; of a captured tree it knows nothing.
 *
 * @returns `undefined` when the machine has not answered in 20 s
 */
export async function readInventory(): Promise<Inventory | undefined> {
  const { default: systemInformation } = await import("systeminformation");
  const { promise: timeout, resolve } = Promise.withResolvers<undefined>();
  const timer = setTimeout(() => resolve(undefined), TIMEOUT_MILLIS);
  try {
    const answers = await Promise.race([
      timeout,
      Promise.all([
        systemInformation.system(),
        systemInformation.baseboard(),
        systemInformation.bios(),
        systemInformation.osInfo(),
        systemInformation.graphics(),
      ]),
    ]);
    if (answers === undefined) return undefined;
    const [system, board, bios, os, graphics] = answers;
    return inventorySchema.parse({
      system: { manufacturer: system.manufacturer, model: system.model, version: system.version },
      board: { manufacturer: board.manufacturer, model: board.model },
      firmware: { vendor: bios.vendor, version: bios.version, releaseDate: bios.releaseDate },
      os: {
        distribution: os.distro,
        release: os.release,
        kernel: os.kernel,
        architecture: os.arch,
      },
      gpus: graphics.controllers.map((controller) => ({
        vendor: controller.vendor,
        model: controller.model,
        memoryMiB: controller.vram,
      })),
    });
  } finally {
    clearTimeout(timer);
  }
}
