import { defineBootArgument } from "./boot-argument.ts";
import { numberArgument } from "./boot-argument-syntax.ts";
import { leave, setTo } from "./desired.ts";

/** The largest that the driver takes since Linux 4.15; what AWS advises and its own images have. */
const LONGEST_SECONDS = 4_294_967_295;

/**
 * nvme_core.io_timeout: how long the NVMe driver waits for an answer before it gives the disk up. An EBS volume is a disk
 * on a network, and may be silent for longer than the 30 s of a local one without being lost; the root volume is given up
 * read-only then. Only where the host has EBS volumes: for a local disk a timeout says that it is dead, which one wants
 * to know. Most images for EC2 have it.
 *
 * @unit seconds
 */
export const nvmeCoreIoTimeout = defineBootArgument({
  id: "nvme_core.io_timeout",
  syntax: numberArgument("nvme_core.io_timeout"),
  title: "How long an NVMe request may take",
  unit: "seconds",
  scope: "disk",
  risk: { level: "medium", what: "a local NVMe disk that has died is waited for, for ever" },
  kernelDefault: "30",
  kernelRange: "up to 4294967295 since Linux 4.15, up to 255 before",
  sources: [
    "https://docs.aws.amazon.com/ebs/latest/userguide/timeout-nvme-ebs-volumes.html",
    "https://docs.kernel.org/admin-guide/kernel-parameters.html",
  ],
  anchors: { TuneD: "4294967295 (aws)", saptune: "4294967295 on AWS" },
  desired({ facts }) {
    const volumes = facts.blockDevices.filter(({ model }) => model === "Amazon Elastic Block Store");
    if (volumes.length === 0)
      return leave("this host has no EBS volume; a local disk that does not answer is dead");
    return setTo(
      String(LONGEST_SECONDS),
      `${volumes.map(({ name }) => name).join(", ")}: EBS, a disk on a network that comes back after a pause`,
    );
  },
  async readIgnored(host, value) {
    const found = (await host.readText("/sys/module/nvme_core/parameters/io_timeout"))?.trim();
    return found === undefined || found === value ? undefined : `the driver has ${found} s`;
  },
});
