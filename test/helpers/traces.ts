import type { LocalVm } from "../../components/hosts/local-vm/vm-state.ts";

/**
 * Everything on a machine that tuning or its installation could leave behind: names, modes and content of files in the
 * folders that the agent and its installer write to, the values of all sysctls that stand still by themselves, settings of
 * disks, NICs and CPUs, the boot loader's files, and the enabled units. Two readings of an untouched machine are equal.
 */
export async function readTraces(vm: LocalVm): Promise<string> {
  const { stdout, stderr, exitCode } = await vm.ssh(SCRIPT, { timeoutMillis: 300_000 });
  if (exitCode !== 0) throw new Error(`Cannot read the traces: ${stderr}`);
  return stdout;
}

/**
 * Counters, random numbers and what the kernel reckons from its load move by themselves. The list of congestion controls
 * grows with a module that was loaded once: which of them is in force is another value, and is compared.
 */
const MOVING =
  "random|quota.syncs|(allowed|available)_congestion_control|dentry-state|file-nr|inode-nr|inode-state|aio-nr|pty.nr|ns_last_pid|nf_conntrack_count|loadavg|sched_domain|perf_event_max_sample_rate|perf_cpu_time|nr_cpu|hostname";

const SCRIPT = `
cd /
echo '== files'
find /etc /opt /usr/local /boot /var/lib/bedplate /run/bedplate /var/cache/bedplate /var/cache/mcp-service \\
  -xdev \\( -type f -printf '%p %m %u:%g ' -exec sh -c 'sha256sum <"$1" | cut -c1-16' sh {} \\; \\) -o \\( -type l -printf '%p -> %l\\n' \\) \\
  -o \\( -type d -printf '%p/ %m\\n' \\) 2>/dev/null | grep -v '^/etc/\\(machine-info\\|ld.so.cache\\)' | LC_ALL=C sort
echo '== sysctl'
sysctl -a 2>/dev/null | grep -vE '${MOVING}' | LC_ALL=C sort
echo '== sys'
for pattern in '/sys/block/*/queue/*' '/sys/class/net/*/queues/*/*' '/sys/class/net/*/mtu' '/sys/class/net/*/tx_queue_len' \\
  '/sys/class/net/*/threaded' '/sys/class/net/*/napi_defer_hard_irqs' '/sys/class/net/*/gro_flush_timeout' \\
  '/sys/class/net/*/device/sriov_numvfs' '/sys/kernel/mm/transparent_hugepage/*' \\
  '/sys/kernel/mm/transparent_hugepage/khugepaged/*defrag' '/sys/kernel/mm/hugepages/*/nr_hugepages' \\
  '/sys/devices/system/cpu/cpu*/power/pm_qos_resume_latency_us' '/proc/irq/*/smp_affinity_list' '/proc/irq/default_smp_affinity' \\
  '/sys/devices/virtual/workqueue/*cpumask' '/sys/module/*/parameters/*timeout' '/sys/devices/system/clocksource/*/current_clocksource'; do
  for file in $pattern; do
    [ ! -f "$file" ] || printf '%s %s\\n' "$file" "$(tr '\\n' ' ' <"$file" 2>/dev/null)"
  done
done | grep -vE 'inflight|byte_queue_limits/limit' | LC_ALL=C sort
echo '== units'
systemctl list-unit-files --no-legend --no-pager | awk '{print $1, $2}' | LC_ALL=C sort
systemctl list-units --all --no-legend --no-pager 'bedplate*' 'mcp*' | awk '{print $1, $4}'
`;
