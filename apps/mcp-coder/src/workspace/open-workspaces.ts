import { createHash } from 'node:crypto'
import { mkdir, readdir, rmdir, stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { WorkspaceFault } from './fault.ts'
import { type WorkspaceLimits, workspaceLimits } from './limits.ts'
import { codeOf, type FileOwner, giveTo, inFolder, ofFolder, openFolder, openRoot } from './open-below.ts'
import { createWorkspace, type Workspace } from './workspace.ts'

/** Whose a workspace is. */
export interface Owner {
  readonly issuer: string
  readonly subject: string
}

export interface Workspaces {
  readonly limits: WorkspaceLimits
  /** Works in the owner's workspace, which is made at the first time. @throws WorkspaceFault */
  within<Result>(owner: Owner, work: (workspace: Workspace) => Promise<Result>): Promise<Result>
  close(): Promise<void>
}

/**
 * The folder of all workspaces; made, for this user alone, if it is not there. Needs Linux, whose `/proc` is the way to
 * reach a file from an open folder.
 *
 * @param fileOwner whose the files are to be, where commands run as another user
 */
export async function openWorkspaces(
  dir: string,
  given: Partial<WorkspaceLimits> = {},
  fileOwner?: FileOwner,
): Promise<Workspaces> {
  const limits = { ...workspaceLimits, ...given }
  const path = resolve(dir)
  await mkdir(path, { recursive: true, mode: 0o700 })
  const root = await openRoot(path, fileOwner)
  await stat(ofFolder(root)).catch(async (cause: unknown) => {
    await root.handle.close()
    throw new Error('Workspaces need Linux, with /proc.', { cause })
  })
  return {
    limits,
    async within(owner, work) {
      const name = nameOf(owner)
      await mkdir(inFolder(root, name), { mode: 0o700 }).then(
        async () => {
          // Made first and counted after: two at once cannot both be the last.
          if ((await readdir(ofFolder(root))).length > limits.workspaces) {
            await rmdir(inFolder(root, name))
            throw new WorkspaceFault('too_many_workspaces')
          }
        },
        (cause: unknown) => {
          if (codeOf(cause) !== 'EEXIST') throw cause
        },
      )
      const folder = await openFolder(root, [name])
      try {
        await giveTo(folder.handle, folder)
        return await work(createWorkspace(folder, limits))
      } finally {
        await folder.handle.close()
      }
    },
    close: () => root.handle.close(),
  }
}

/** Subjects are other people's words, and no names of folders. */
function nameOf({ issuer, subject }: Owner): string {
  return createHash('sha256')
    .update(JSON.stringify([issuer, subject]))
    .digest('base64url')
}
