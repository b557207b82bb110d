/** What a workspace holds at most, and what a call may ask of it. */
export interface WorkspaceLimits {
  /** Workspaces, one for each subject. @default 100 */
  readonly workspaces: number
  /** Bytes in one workspace. @default 67_108_864 */
  readonly totalBytes: number
  /** Files and folders in one workspace. @default 10_000 */
  readonly entries: number
  /** Bytes of a file that is read or written. @default 1_048_576 */
  readonly fileBytes: number
  /** Folders from the workspace down to a file. @default 16 */
  readonly depth: number
  /** Folders from the workspace down to anything that a command makes; deeper ones make it full. @default 64 */
  readonly nested: number
  /** Lines of one answer to `read_file`. @default 2_000 */
  readonly lines: number
  /** Characters of one answer to `read_file`. @default 100_000 */
  readonly textLength: number
  /** Entries of one answer to `list_files`. @default 1_000 */
  readonly listed: number
  /** Lines of one answer to `search`. @default 100 */
  readonly matches: number
  /** Bytes that one `search` reads. @default 16_777_216 */
  readonly searchedBytes: number
}

export const workspaceLimits: WorkspaceLimits = {
  workspaces: 100,
  totalBytes: 67_108_864,
  entries: 10_000,
  fileBytes: 1_048_576,
  depth: 16,
  nested: 64,
  lines: 2_000,
  textLength: 100_000,
  listed: 1_000,
  matches: 100,
  searchedBytes: 16_777_216,
}
