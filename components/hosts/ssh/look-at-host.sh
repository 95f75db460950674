# Says what there is of Bedplate on this host, and what an installation needs, one fact a line. Changes nothing.
# Arguments: the units that are asked about, --, the files whose sha256 is asked.
set -u

printf 'uid %s\n' "$(id -u)"
printf 'architecture %s\n' "$(uname -m)"
printf 'machine-id %s\n' "$(cat /etc/machine-id 2>/dev/null)"
printf 'agent %s\n' "$(readlink /opt/bedplate/current 2>/dev/null)"
printf 'service %s\n' "$(readlink /opt/mcp-service/current 2>/dev/null)"
[ ! -e /var/lib/bedplate/journal.jsonl ] || printf 'journal kept\n'

for tool in flock install sha256sum systemctl tar udevadm; do
  command -v "$tool" >/dev/null || printf 'missing %s\n' "$tool"
done

while [ "$#" -gt 0 ] && [ "$1" != -- ]; do
  printf 'unit %s %s\n' "$1" "$(systemctl is-enabled "$1" 2>/dev/null)"
  shift
done
[ "$#" -eq 0 ] || shift
for file in "$@"; do
  [ ! -f "$file" ] || printf 'file %s %s\n' "$(sha256sum <"$file" | cut -d ' ' -f 1)" "$file"
done
