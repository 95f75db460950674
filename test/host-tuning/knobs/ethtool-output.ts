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
