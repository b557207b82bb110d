const reasons = {
  bad_path: 'A path is relative to the workspace, without "..", empty parts or control characters.',
  not_found: 'There is no such file or folder.',
  not_a_file: 'This is no ordinary file.',
  not_a_folder: 'This is no folder.',
  not_empty: 'This folder is not empty.',
  a_link: 'Links are not followed.',
  shared: 'This file has another name elsewhere, so it is not touched.',
  elsewhere: 'This lies on another file system.',
  not_text: 'This is not text in UTF-8.',
  too_large: 'This has too many bytes.',
  full: 'The workspace is full: remove or shrink something first.',
  too_many_workspaces: 'There are as many workspaces as there may be.',
  no_command: 'This command is not on the list.',
  too_many_commands: 'As many commands are running as may: wait, or stop one.',
  closing: 'The server is closing.',
} as const

export type FaultReason = keyof typeof reasons

/** Something that a tool cannot do for its caller, to be told to them; never a path outside of the workspace. */
export class WorkspaceFault extends Error {
  override readonly name = 'WorkspaceFault'
  readonly reason: FaultReason
  constructor(reason: FaultReason, options?: ErrorOptions) {
    super(reasons[reason], options)
    this.reason = reason
  }
}
