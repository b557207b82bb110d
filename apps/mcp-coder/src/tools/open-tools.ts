import { realpath } from 'node:fs/promises'
import { sandboxUser } from '../sandbox/bubblewrap.ts'
import { type CommandOptions, type Commands, type NoCommands, openCommands } from '../sandbox/commands.ts'
import type { WorkspaceLimits } from '../workspace/limits.ts'
import { openWorkspaces } from '../workspace/open-workspaces.ts'
import { commandTool } from './command-tool.ts'
import { fileTools } from './file-tools.ts'
import type { CoderTool } from './tool.ts'

export interface ToolsOptions {
  /** The folder of all workspaces; made if it is not there. */
  readonly workspaces: string
  readonly limits?: Partial<WorkspaceLimits>
  /** `off`: no command tool, even where there is a sandbox. */
  readonly commands?: CommandOptions | 'off'
}

export interface OpenTools {
  readonly tools: readonly CoderTool[]
  /** Why there is no `run_command`; undefined if there is. */
  readonly noCommands: string | undefined
  /** How many commands run. */
  running(): number
  /** Ends commands under way. */
  close(): Promise<void>
}

/** Opens workspaces and, where a sandbox works, commands. */
export async function openTools({ workspaces: dir, limits, commands: wanted = {} }: ToolsOptions): Promise<OpenTools> {
  const workspaces = await openWorkspaces(dir, limits, sandboxUser)
  const commands: Commands | NoCommands =
    wanted === 'off' ? { why: 'switched off' } : await openCommands({ unseen: await ownFolders(dir), ...wanted })
  const files = fileTools(workspaces)
  const close = async (): Promise<void> => {
    if ('run' in commands) await commands.close()
    await workspaces.close()
  }
  if ('why' in commands) return { tools: files, noCommands: commands.why, running: () => 0, close }
  const tools = [...files, commandTool(workspaces, commands)]
  return { tools, noCommands: undefined, running: () => commands.running, close }
}

/** What a command of one subject must not read: the others' workspaces, and whatever the service keeps where it runs. */
async function ownFolders(dir: string): Promise<readonly string[]> {
  return Promise.all([dir, '.'].map((folder) => realpath(folder)))
}
