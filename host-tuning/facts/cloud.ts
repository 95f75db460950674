import type { DmiReading } from "./dmi.ts";
import type { HostFacts } from "./host-facts.ts";

/** The chassis asset tag of every Azure machine, as cloud-init and walinuxagent know it. */
const AZURE_ASSET_TAG = "7783-7084-3265-9085-8269-3286-77";

/**
 * Tells the cloud from firmware strings alone, never by a network call: a metadata address asked from a machine that is
 * not there is a stall at boot. On AWS Nitro the product name is the instance type and the board's asset tag the instance's
 * id; the older Xen generation has neither.
 *
 * @see https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/identify_ec2_instances.html
 */
export function cloudFacts(dmi: DmiReading, hypervisorUuid: string | undefined): HostFacts["cloud"] {
  if (dmi.sys_vendor === "Amazon EC2" || dmi.bios_vendor === "Amazon EC2") {
    const id = dmi.board_asset_tag;
    const isType = /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(dmi.product_name);
    return {
      provider: "aws",
      instanceType: isType ? dmi.product_name : null,
      ...(/^i-[0-9a-f]{8,17}$/.test(id) ? { instanceId: id } : {}),
      because: `DMI vendor "Amazon EC2", product "${dmi.product_name}"`,
    };
  }
  if (/amazon/i.test(dmi.bios_version) || hypervisorUuid?.toLowerCase().startsWith("ec2") === true) {
    return { provider: "aws", instanceType: null, because: "Xen with an Amazon BIOS or an ec2 machine id" };
  }
  if (dmi.product_name === "Google Compute Engine") {
    return { provider: "gcp", instanceType: null, because: 'DMI product "Google Compute Engine"' };
  }
  if (dmi.chassis_asset_tag === AZURE_ASSET_TAG) {
    return { provider: "azure", instanceType: null, because: "DMI chassis asset tag of Azure" };
  }
  return { provider: "none", instanceType: null, because: "No cloud names itself in the DMI strings" };
}
