/**
 * What real tools printed, tabs and all: ethtool 6.1 (Debian 12) on virtio_net, ethtool 6.14 (Debian 13) on igb and
 * e1000e, both as QEMU emulates them.
 */

export const VIRTIO_RINGS = `Ring parameters for eth0:
Pre-set maximums:
RX:\t\t256
RX Mini:\tn/a
RX Jumbo:\tn/a
TX:\t\t256
Current hardware settings:
RX:\t\t256
RX Mini:\tn/a
RX Jumbo:\tn/a
TX:\t\t256
RX Buf Len:\t\tn/a
CQE Size:\t\tn/a
TX Push:\toff
TCP data split:\tn/a
`;

export const VIRTIO_CHANNELS = `Channel parameters for eth0:
Pre-set maximums:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\tn/a
Combined:\t1
Current hardware settings:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\tn/a
Combined:\t1
`;

export const IGB_RINGS = `Ring parameters for ens1:
Pre-set maximums:
RX:\t\t\t4096
RX Mini:\t\tn/a
RX Jumbo:\t\tn/a
TX:\t\t\t4096
TX push buff len:\tn/a
Current hardware settings:
RX:\t\t\t256
RX Mini:\t\tn/a
RX Jumbo:\t\tn/a
TX:\t\t\t256
RX Buf Len:\t\tn/a
CQE Size:\t\tn/a
TX Push:\t\toff
RX Push:\t\toff
TX push buff len:\tn/a
TCP data split:\t\tn/a
`;

export const IGB_CHANNELS = `Channel parameters for ens1:
Pre-set maximums:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\t1
Combined:\t8
Current hardware settings:
RX:\t\tn/a
TX:\t\tn/a
Other:\t\t1
Combined:\t4
`;

/** e1000e has one queue, and answers for channels that it does not support them. */
export const E1000E_RINGS = `Ring parameters for enp0s5:
Pre-set maximums:
RX:\t\t\t4096
RX Mini:\t\tn/a
RX Jumbo:\t\tn/a
TX:\t\t\t4096
TX push buff len:\tn/a
Current hardware settings:
RX:\t\t\t256
RX Mini:\t\tn/a
RX Jumbo:\t\tn/a
TX:\t\t\t256
RX Buf Len:\t\tn/a
CQE Size:\t\tn/a
TX Push:\t\toff
RX Push:\t\toff
TX push buff len:\tn/a
TCP data split:\t\tn/a
`;

/** What ethtool says on stderr, with exit code 1, where the driver does not know the question. */
export const NOT_SUPPORTED = "netlink error: Operation not supported\n";

/** The head of `ethtool -S` on ENA, in the documented form (amzn-drivers, ENA_Linux_Best_Practices). */
export const ENA_STATISTICS = `NIC statistics:
     total_resets: 0
     reset_fail: 0
     tx_timeout: 0
     wd_expired: 0
     interface_up: 1
     interface_down: 0
     admin_q_pause: 0
     bw_in_allowance_exceeded: 0
     bw_out_allowance_exceeded: 52145
     pps_allowance_exceeded: 7
     conntrack_allowance_exceeded: 0
     conntrack_allowance_available: 136812
     linklocal_allowance_exceeded: 0
     queue_0_tx_cnt: 199
     queue_0_rx_overruns: 12
     rx_overruns: 0
`;

/** ethtool 6.1 on igb, Linux 6.1: rx-usecs 3 is a mode, and there is no adaptive coalescing. */
export const IGB_COALESCE = `Coalesce parameters for ens1:
Adaptive RX: n/a  TX: n/a
stats-block-usecs: n/a
sample-interval: n/a
pkt-rate-low: n/a
pkt-rate-high: n/a

rx-usecs: 3
rx-frames: n/a
rx-usecs-irq: n/a
rx-frames-irq: n/a

tx-usecs: 3
tx-frames: n/a
tx-usecs-irq: n/a
tx-frames-irq: n/a

rx-usecs-low: n/a
rx-frame-low: n/a
tx-usecs-low: n/a
tx-frame-low: n/a

rx-usecs-high: n/a
rx-frame-high: n/a
tx-usecs-high: n/a
tx-frame-high: n/a

CQE mode RX: n/a  TX: n/a

`;

/** The form of versions before 5.10, which print 0 for what a driver does not have, as on mlx5. */
export const MLX5_COALESCE = `Coalesce parameters for eth0:
Adaptive RX: on  TX: on
stats-block-usecs: 0
sample-interval: 0
pkt-rate-low: 0
pkt-rate-high: 0

rx-usecs: 8
rx-frames: 128
rx-usecs-irq: 0
rx-frames-irq: 0

tx-usecs: 8
tx-frames: 128
tx-usecs-irq: 0
tx-frames-irq: 0
`;

/** The head of ethtool 6.1 on igb after "tso off" and "lro on" were tried, Linux 6.1. */
export const IGB_FEATURES = `Features for ens1:
rx-checksumming: on
tx-checksumming: on
\ttx-checksum-ipv4: off [fixed]
\ttx-checksum-ip-generic: on
scatter-gather: on
\ttx-scatter-gather: on
\ttx-scatter-gather-fraglist: off [fixed]
tcp-segmentation-offload: on
\ttx-tcp-segmentation: on
\ttx-tcp-ecn-segmentation: off [fixed]
\ttx-tcp-mangleid-segmentation: off
\ttx-tcp6-segmentation: on
generic-segmentation-offload: on
generic-receive-offload: off
large-receive-offload: off [fixed]
rx-vlan-offload: on
ntuple-filters: off
rx-gro-list: off [requested on]
`;

/** ethtool 6.1 on igb: what was asked for; newer drivers add what was negotiated. */
export const IGB_PAUSE = "Pause parameters for ens1:\nAutonegotiate:\ton\nRX:\t\ton\nTX:\t\ton\n\n";

export const NEGOTIATED_PAUSE =
  "Pause parameters for eth0:\nAutonegotiate:\ton\nRX:\t\ton\nTX:\t\ton\nRX negotiated: off\nTX negotiated: off\n\n";

/** iproute2 6.1, Linux 6.1, igb with two functions: the first has no address yet, the second a VLAN with a priority. */
export const IGB_LINK = `[{"ifindex":2,"ifname":"ens1","flags":["BROADCAST","MULTICAST","UP","LOWER_UP"],"mtu":1500,"qdisc":"mq","operstate":"UP","linkmode":"DEFAULT","group":"default","txqlen":1000,"link_type":"ether","address":"52:54:00:b0:00:01","broadcast":"ff:ff:ff:ff:ff:ff","vfinfo_list":[{"vf":0,"link_type":"ether","address":"00:00:00:00:00:00","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{}],"rate":{"max_tx":0,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false},{"vf":1,"link_type":"ether","address":"52:56:53:5c:b4:24","broadcast":"ff:ff:ff:ff:ff:ff","vlan_list":[{"vlan":100,"qos":3}],"rate":{"max_tx":0,"min_tx":0},"spoofchk":true,"link_state":"auto","trust":false}],"altnames":["enp57s0"]}]
`;

/** dcb(8)'s form, as dcb-pfc(8) documents it. */
export const DCB_PFC =
  "pfc-cap 8 macsec-bypass on delay 0 \nprio-pfc 0:off 1:off 2:off 3:on 4:off 5:off 6:off 7:off \n";

/** mlnx_qos's form, as NVIDIA's manual shows it. */
export const MLNX_QOS = `DCBX mode: OS controlled
Priority trust state: pcp
default priority:
Receive buffer size (bytes): 262016,0,0,0,0,0,0,0,
Cable len: 7
PFC configuration:
\tpriority    0   1   2   3   4   5   6   7
\tenabled     0   0   0   0   1   0   0   0
\tbuffer      0   0   0   0   1   0   0   0
tc: 1 ratelimit: unlimited, tsa: vendor
`;
