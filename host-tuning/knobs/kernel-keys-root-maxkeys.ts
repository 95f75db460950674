import { kubeletSysctl } from "./kubelet-sysctl.ts";

/** kernel.keys.root_maxkeys: keys that root may hold; every container gets a keyring from the runtime, which runs as root. */
export const kernelKeysRootMaxkeys = kubeletSysctl({
  id: "kernel.keys.root_maxkeys",
  title: "Keys that root may hold, one for each container",
  unit: "entries",
  value: 1_000_000,
  risk: "root's processes can fill more kernel memory with keys",
  kernelDefault: "1000000",
  source: "https://docs.kernel.org/security/keys/core.html",
});
