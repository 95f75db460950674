import { REPORT_PATHS } from "../report/save-report.ts";
import { DEVICE_UNIT } from "./paths.ts";

/** `bedplate-device@NAME.service`; the name as udev puts it in. */
function wants(name: string): string {
  return `TAG+="systemd", ENV{SYSTEMD_WANTS}+="${DEVICE_UNIT.replace("@", `@${name}`)}"`;
}

/**
 * Rules for devices that are added after boot. They run nothing: systemd starts a unit for the device, so udev never
 * waits. What is there at boot is left to the boot's own units, and virtual functions to whoever made them: a hundred of
 * them would start the agent a hundred times.
 *
 * @see https://www.freedesktop.org/software/systemd/man/latest/systemd.device.html
 */
export function renderUdevRules(): string {
  return [
    "# Bedplate: a NIC, disk or GPU that is added after boot gets its settings.",
    'ACTION!="add", GOTO="bedplate_end"',
    "# Until the boot's own tuning has run there is no report, and it finds the device by itself.",
    `TEST!="${REPORT_PATHS[0]}", GOTO="bedplate_end"`,
    "# $name: the one that udev has given by now; systemd passes over a name that no unit can have.",
    `SUBSYSTEM=="net", SUBSYSTEMS=="pci", TEST!="device/physfn", ${wants("$name")}`,
    `SUBSYSTEM=="block", SUBSYSTEMS=="pci", ENV{DEVTYPE}=="disk", KERNEL=="nvme*|vd*|sd*", ${wants("%k")}`,
    "# 0x10de: NVIDIA; 0x03: display controllers, among them those without a display.",
    `SUBSYSTEM=="pci", ATTR{vendor}=="0x10de", ATTR{class}=="0x03*", ${wants("%k")}`,
    'LABEL="bedplate_end"',
    "",
  ].join("\n");
}
