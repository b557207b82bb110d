/** What a command may take. */
export interface CommandLimits {
  /** Milliseconds. @default 60_000 */
  readonly timeMs: number
  /** Bytes that it prints, on both streams together. @default 262_144 */
  readonly outputBytes: number
  /** Bytes of memory of all of its processes together. @default 536_870_912 */
  readonly memoryBytes: number
  /** Processes at once, itself among them. @default 64 */
  readonly processes: number
  /** Bytes of one file that it writes. @default 16_777_216 */
  readonly fileBytes: number
  /** Bytes of its own `/tmp`, and of `/dev/shm`. @default 67_108_864 */
  readonly temporaryBytes: number
  /** Open files of one process. @default 256 */
  readonly openFiles: number
  /** Commands at once. @default 4 */
  readonly concurrent: number
  /** Commands at once of one subject. @default 2 */
  readonly concurrentOfOne: number
}

export const commandLimits: CommandLimits = {
  timeMs: 60_000,
  outputBytes: 262_144,
  memoryBytes: 536_870_912,
  processes: 64,
  fileBytes: 16_777_216,
  temporaryBytes: 67_108_864,
  openFiles: 256,
  concurrent: 4,
  concurrentOfOne: 2,
}

/** A process may reserve more than it uses, as every JavaScript engine does; what it uses is watched. */
export const addressSpacePerMemory = 8
