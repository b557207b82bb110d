import { WorkspaceFault } from './fault.ts'

const longestPath = 1_024
const longestNameBytes = 255
// Control characters, and what makes a name look like another one.
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\\]/u

/**
 * The names from the workspace down to what a caller's path means; none for `.`.
 * @throws WorkspaceFault `bad_path`
 */
export function parsePath(path: string, depth: number): readonly string[] {
  if (path === '.' || path === '') return []
  if (path.length > longestPath || unfit.test(path)) throw new WorkspaceFault('bad_path')
  const names = path.replace(/^\.\//, '').replace(/\/$/, '').split('/')
  const isFit = (name: string): boolean =>
    name !== '' && name !== '.' && name !== '..' && Buffer.byteLength(name) <= longestNameBytes
  if (names.length > depth + 1 || !names.every(isFit)) throw new WorkspaceFault('bad_path')
  return names
}
