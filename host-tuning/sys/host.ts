/**
 * A host seen through its files and tools. `root` is "/" or a captured tree with its own proc/ and sys/; every path
 * is absolute on the host ("/proc/sys/net/core/somaxconn") and is looked up below the root, never outside it.
 */
export interface Host {
  readonly root: string;
  /** The host is the machine we run on, so tools (ethtool, systemctl) speak of it. */
  readonly isLive: boolean;
  /** Text of a file exactly as it is; `undefined` when it does not exist (ENOENT, ENOTDIR, ENODEV). @throws {TuningError} HOST_READ otherwise */
  readText(path: string): Promise<string | undefined>;
  /** Names in a directory, sorted; empty when it does not exist. @throws {TuningError} HOST_READ */
  list(path: string): Promise<string[]>;
  exists(path: string): Promise<boolean>;
  /** Target of a symbolic link as an absolute path on the host, all links resolved; `undefined` when there is none. */
  realPath(path: string): Promise<string | undefined>;
  /**
   * What a symbolic link says, as it is: /proc/PID/ns/net says "net:[4026531840]"; `undefined` when there is none.
   * @throws {TuningError} HOST_READ
   */
  readLink(path: string): Promise<string | undefined>;
  /** Writes text into an existing kernel file, in place, one write(2). @throws {TuningError} HOST_WRITE */
  writeKernelFile(path: string, text: string): Promise<void>;
  /** Replaces or creates a file atomically and durably; `undefined` removes it. @throws {TuningError} HOST_WRITE */
  writeConfigFile(path: string, text: string | undefined): Promise<void>;
  /**
   * Runs a tool with arguments as they are, no shell, output bounded, 30 s at most (systemctl 120 s).
   * `undefined` when the tool is not installed or the host is not live. Never throws on a non-zero exit.
   */
  runTool(tool: string, args: readonly string[]): Promise<ToolResult | undefined>;
}

export interface ToolResult {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}
