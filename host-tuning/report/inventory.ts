import { baseboard, bios, chassis, graphics, system } from "systeminformation";

/** A line of the inventory: what it is, and what the machine says. */
export type InventoryLine = readonly [label: string, text: string];

function joined(...parts: readonly (string | null | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== null && part !== "" && part !== "-").join(" ");
}

/** Board, firmware and displays by name, for people: nothing is decided from it. */
export async function readInventory(): Promise<InventoryLine[]> {
  const [machine, board, firmware, case_, display] = await Promise.all([
    system(),
    baseboard(),
    bios(),
    chassis(),
    graphics(),
  ]);
  const lines: InventoryLine[] = [
    ["machine", joined(machine.manufacturer, machine.model, machine.version)],
    ["board", joined(board.manufacturer, board.model, board.version)],
    ["firmware", joined(firmware.vendor, firmware.version, firmware.releaseDate)],
    ["chassis", joined(case_.manufacturer, case_.type)],
    ...display.controllers.map((gpu): InventoryLine => ["graphics", joined(gpu.vendor, gpu.model)]),
  ];
  return lines.filter(([, text]) => text !== "");
}
