import { z } from 'zod'
import type { Workspaces } from '../workspace/open-workspaces.ts'
import { type CoderTool, defineTool } from './tool.ts'

const path = z.string().min(1).max(1_024).describe('Relative to the workspace, such as "src/main.py".')
const folder = path.default('.').describe('A folder, relative to the workspace; "." for all of it.')

const reads = { readOnlyHint: true, openWorldHint: false } as const
const writes = { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false } as const

/** The tools over the caller's own workspace. */
export function fileTools({ within, limits }: Workspaces): readonly CoderTool[] {
  return [
    defineTool(
      {
        name: 'read_file',
        title: 'Read a file',
        description: `The lines of a text file in the workspace, at most ${limits.lines} at a time.`,
        scopes: ['coder:read'],
        annotations: reads,
        inputSchema: z.strictObject({
          path,
          from_line: z.int().min(1).max(10_000_000).default(1),
          lines: z.int().min(1).max(limits.lines).default(limits.lines),
        }),
      },
      ({ path, from_line, lines }, { owner }) =>
        within(owner, async (workspace) => {
          const { text, totalLines, isCut } = await workspace.readFile(path, { fromLine: from_line, lines })
          return { text, from_line, total_lines: totalLines, is_cut: isCut }
        }),
    ),
    defineTool(
      {
        name: 'list_files',
        title: 'List files',
        description: `What is in a folder of the workspace, at most ${limits.listed} entries.`,
        scopes: ['coder:read'],
        annotations: reads,
        inputSchema: z.strictObject({
          path: folder,
          depth: z.int().min(1).max(limits.depth).default(1).describe('1: the folder itself and nothing below it.'),
        }),
      },
      ({ path, depth }, { owner }) =>
        within(owner, async (workspace) => {
          const { entries, isCut } = await workspace.listFiles(path, depth)
          return { entries, is_cut: isCut }
        }),
    ),
    defineTool(
      {
        name: 'search',
        title: 'Search',
        description: `The lines that have some words in them, as they are (no pattern), at most ${limits.matches}.`,
        scopes: ['coder:read'],
        annotations: reads,
        inputSchema: z.strictObject({
          query: z.string().min(1).max(256),
          path: folder,
          ignore_case: z.boolean().default(false),
        }),
      },
      ({ query, path, ignore_case }, { owner, signal }) =>
        within(owner, async (workspace) => {
          const { matches, isCut } = await workspace.search(query, { path, ignoreCase: ignore_case, signal })
          return { matches, is_cut: isCut }
        }),
    ),
    defineTool(
      {
        name: 'write_file',
        title: 'Write a file',
        description: `Puts text in place of a file in the workspace, whole or not at all; missing folders are made. At most ${limits.fileBytes} bytes.`,
        scopes: ['coder:write'],
        annotations: writes,
        inputSchema: z.strictObject({ path, text: z.string().max(limits.fileBytes) }),
      },
      ({ path, text }, { owner }) =>
        within(owner, async (workspace) => {
          const { bytes, isNew } = await workspace.writeFile(path, text)
          return { bytes, is_new: isNew }
        }),
    ),
    defineTool(
      {
        name: 'remove_file',
        title: 'Remove a file',
        description: 'Removes a file, a link or an empty folder of the workspace.',
        scopes: ['coder:write'],
        annotations: writes,
        inputSchema: z.strictObject({ path }),
      },
      ({ path }, { owner }) =>
        within(owner, async (workspace) => {
          await workspace.remove(path)
          return { removed: true }
        }),
    ),
  ]
}
