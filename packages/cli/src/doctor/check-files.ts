import type { Stats } from 'node:fs'
import { lstat } from 'node:fs/promises'
import type { ResolvedConfig } from '@countersign/server'
import { error, type Finding, ok } from './finding.ts'

interface Expected {
  readonly path: string
  readonly kind: 'directory' | 'file'
  /** What it is, for the report. */
  readonly name: string
  /** A missing one is a fault; others are made when they are first needed. */
  readonly required: boolean
}

const initRemedy = 'Run `countersign init`, or restore it from your backup.'

async function statsOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path)
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && (cause.code === 'ENOENT' || cause.code === 'ENOTDIR'))
      return undefined
    throw cause
  }
}

async function checkFile({ path, kind, name, required }: Expected): Promise<Finding | undefined> {
  const stats = await statsOf(path)
  if (stats === undefined) return required ? error('files', `The ${name} is missing.`, path, initRemedy) : undefined
  if (stats.isSymbolicLink()) {
    return error('files', `The ${name} is a symbolic link.`, path, 'Put the real one there: links are refused.')
  }
  if (kind === 'directory' ? !stats.isDirectory() : !stats.isFile()) {
    return error('files', `The ${name} is no ${kind}.`, path, 'Move away what is there.')
  }
  const ownUid = process.geteuid?.()
  // Windows has neither owners nor mode bits.
  if (ownUid === undefined) return undefined
  if (stats.uid !== ownUid) {
    const who = `user ${stats.uid}, not to user ${ownUid}, who runs this`
    return error('files', `The ${name} belongs to ${who}.`, path, 'Run this as its owner, or change the owner (chown).')
  }
  const mode = stats.mode & 0o777
  if ((mode & 0o077) !== 0) {
    const wanted = kind === 'directory' ? '0700' : '0600'
    const what = `The ${name} can be reached by others than its owner (mode 0${mode.toString(8)}).`
    return error('files', what, path, `chmod ${wanted} ${path}`)
  }
  return undefined
}

/** Modes, owners and kinds of everything that the service keeps on disk. Changes nothing. */
export async function checkFiles(config: ResolvedConfig): Promise<Finding[]> {
  const { dataDir, kekFile, kekCredential, databaseFile, databaseUrl, auditFile } = config
  const expected: Expected[] = [
    { path: dataDir, kind: 'directory', name: 'data directory', required: true },
    // A credential is systemd's own file, and checked as such when it is read.
    ...(kekCredential === undefined
      ? [{ path: kekFile, kind: 'file', name: 'key-encryption key', required: true } as const]
      : []),
    ...(databaseUrl === undefined
      ? [{ path: databaseFile, kind: 'file', name: 'database', required: true } as const]
      : []),
    { path: auditFile, kind: 'file', name: 'audit log', required: false },
  ]
  const findings: Finding[] = []
  for (const one of expected) {
    const found = await checkFile(one)
    if (found !== undefined) findings.push(found)
    // Nothing inside it can be looked at.
    if (found !== undefined && one.kind === 'directory') break
  }
  return findings.length === 0 ? [ok('files', 'Owners and modes are right.', dataDir)] : findings
}
