import type { HostReport } from "../../../host-tuning/report/host-report.ts";
import type { LocalVmSpec } from "./vm-spec.ts";

/** KVM where a probe has booted under it, else software emulation. */
export type Accelerator = "kvm" | "tcg";

/** The stretches of a bring-up, in order. `agent` and `service` only where the spec's readiness names them. */
export type LocalVmPhase = "packages" | "image" | "boot" | "cloud-init" | "agent" | "service";

/** One line of progress for people, and for the provider's status column. */
export interface LocalVmProgress {
  readonly phase: LocalVmPhase;
  readonly message: string;
}

/** What is known of a VM, all of it safe to print and to keep in Pulumi state (keys stay in files). */
export interface LocalVmState {
  readonly name: string;
  /** UUID; the guest's instance-id and QEMU's -uuid. A new one with each VM that is made from nothing. */
  readonly id: string;
  readonly stateDir: string;
  readonly spec: LocalVmSpec;
  readonly isRunning: boolean;
  readonly accelerator: Accelerator;
  /** Where the ports below are: always this machine's loopback. */
  readonly address: "127.0.0.1";
  readonly sshPort: number;
  /** Port on this machine that leads to `spec.servicePort` in the guest. */
  readonly servicePort: number;
  readonly sshCommand: readonly string[];
}

/** A VM that is up: its state, how long each phase of this bring-up took, and what the agent reported. */
export interface LocalVmBringUp extends LocalVmState {
  readonly phases: readonly { readonly name: LocalVmPhase; readonly durationMillis: number }[];
  /** `undefined` when the spec's readiness names no report. */
  readonly report: HostReport | undefined;
}

export interface SshResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running VM to work with. Made by `openVm(stateDir)` in local-vm.ts. */
export interface LocalVm {
  readonly state: LocalVmState;
  /** Runs one command line in the guest's shell as root. Never throws on a non-zero exit. */
  ssh(
    command: string,
    options?: { readonly timeoutMillis?: number; readonly input?: string },
  ): Promise<SshResult>;
  /** Bytes of a file in the guest; `undefined` when there is none. */
  readFile(path: string): Promise<Buffer | undefined>;
  /** Copies a file or folder of this machine into the guest. */
  copyIn(localPath: string, guestPath: string): Promise<void>;
  /** Reboots from inside the guest and waits until ssh answers in the new boot. */
  reboot(): Promise<void>;
  /** Power cut: QEMU is killed, what the guest had not synced is lost. `bringUp` with the same spec starts it again. */
  kill(): Promise<void>;
}

/**
 * What local-vm.ts exports, all with the VM's folder as its handle (default `.bedplate/vms/<name>` in the repository):
 *
 *     bringUp(spec, { stateDir?, progress?, signal? }): Promise<LocalVmBringUp>   makes, restarts or finds the VM
 *     tearDown(stateDir): Promise<void>                                           leaves no process and no file
 *     describe(stateDir): Promise<LocalVmState | undefined>
 *     openVm(stateDir): Promise<LocalVm>
 *     defaultStateDir(name): string
 */
export interface BringUpOptions {
  readonly stateDir?: string;
  readonly progress?: (event: LocalVmProgress) => void;
  readonly signal?: AbortSignal;
}
