import type { FactReader } from "./fact-reader.ts";

const DMI_FIELDS = [
  "sys_vendor",
  "product_name",
  "bios_vendor",
  "bios_version",
  "board_vendor",
  "board_asset_tag",
  "chassis_asset_tag",
] as const;

/** What the firmware calls this machine; a field that is absent or empty is "". */
export type DmiReading = Readonly<Record<(typeof DMI_FIELDS)[number], string>>;

/**
 * Reads /sys/class/dmi/id, the fields that any user may read. Absent on most Arm boards and in some virtual machines.
 *
 * @see https://www.kernel.org/doc/Documentation/ABI/testing/sysfs-devices-virtual-dmi-id (older name: sysfs-firmware-dmi)
 */
export async function readDmi(reader: FactReader): Promise<DmiReading> {
  const values = await Promise.all(
    DMI_FIELDS.map(async (field) => [field, (await reader.label(`/sys/class/dmi/id/${field}`)) ?? ""]),
  );
  return Object.fromEntries(values) as DmiReading;
}
