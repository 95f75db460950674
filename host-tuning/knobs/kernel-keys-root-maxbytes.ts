import { kubeletSysctl } from "./kubelet-sysctl.ts";

/** kernel.keys.root_maxbytes: what root's keys may hold together: 25 bytes for each of root_maxkeys. */
export const kernelKeysRootMaxbytes = kubeletSysctl({
  id: "kernel.keys.root_maxbytes",
  title: "Contents of root's keys, all containers together",
  unit: "bytes",
  value: 25_000_000,
  risk: "root's processes can fill more kernel memory with keys",
  kernelDefault: "25000000",
  source: "https://docs.kernel.org/security/keys/core.html",
});
